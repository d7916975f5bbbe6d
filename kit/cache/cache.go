// Package cache keeps values in memory within a bound of bytes, those used last, and none for longer than it was told to. It knows
// neither what they are nor where they come from.
package cache

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Why an entry was dropped.
const (
	Space   = "space"   // others needed its room
	Idle    = "idle"    // nobody wanted it for so long
	Old     = "old"     // it may not be older
	Removed = "removed" // it was replaced, or taken out
)

// Config bounds a Cache. What is zero or nil does not bound.
type Config[K comparable] struct {
	Bytes   int64         // of all entries together; 0 keeps nothing
	Largest int64         // of one entry; 0 is a quarter of Bytes
	Idle    time.Duration // since it was used last
	Age     time.Duration // since it was added
	// Dropped is told what was dropped and why; it is called with the lock held.
	Dropped func(key K, bytes int64, why string)
	Now     func() time.Time
}

// Cache is a bounded memory. Its methods may be called concurrently. Values are shared: nobody may write to them.
type Cache[K comparable, V any] struct {
	cfg Config[K]

	mu      sync.Mutex
	entries *simplelru.LRU[K, *entry[V]]
	bytes   int64
	why     string // for what is being dropped
}

type entry[V any] struct {
	value       V
	bytes       int64
	added, used time.Time
}

// New makes a Cache.
func New[K comparable, V any](cfg Config[K]) *Cache[K, V] {
	if cfg.Largest == 0 {
		cfg.Largest = cfg.Bytes / 4
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Dropped == nil {
		cfg.Dropped = func(K, int64, string) {}
	}
	c := &Cache[K, V]{cfg: cfg}
	c.entries, _ = simplelru.NewLRU(math.MaxInt, func(key K, e *entry[V]) { // its only error is a size below 1
		c.bytes -= e.bytes
		c.cfg.Dropped(key, e.bytes, c.why)
	})
	return c
}

// Get gives a value that is there and neither old nor idle, and has it count as used.
func (c *Cache[K, V]) Get(key K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Peek(key)
	if !ok {
		return v, false
	}
	now := c.cfg.Now()
	if why := c.late(e, now); why != "" {
		c.drop(key, why)
		return v, false
	}
	c.entries.Get(key) // which moves it to the front
	e.used = now
	return e.value, true
}

// Add keeps a value that takes so many bytes, in place of others where that is needed. What is too large is not kept.
func (c *Cache[K, V]) Add(key K, value V, bytes int64) { c.AddUsed(key, value, bytes, c.cfg.Now()) }

// AddUsed is Add for what was used last at a time in the past. Add in the order of use: it does not count as older than what is there.
func (c *Cache[K, V]) AddUsed(key K, value V, bytes int64, used time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key, Removed)
	if !c.Fits(bytes) {
		return
	}
	for c.why = Space; c.bytes+bytes > c.cfg.Bytes; {
		c.entries.RemoveOldest()
	}
	c.entries.Add(key, &entry[V]{value, bytes, used, used})
	c.bytes += bytes
}

// Fits reports whether a value of so many bytes would be kept.
func (c *Cache[K, V]) Fits(bytes int64) bool { return bytes <= c.cfg.Largest && bytes <= c.cfg.Bytes }

// Has reports whether an entry is there, and does not count as a use.
func (c *Cache[K, V]) Has(key K) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Contains(key)
}

// Remove drops an entry, if it is there.
func (c *Cache[K, V]) Remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key, Removed)
}

// RemoveIf drops the entries that match.
func (c *Cache[K, V]) RemoveIf(match func(K, V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range c.entries.Keys() {
		if e, _ := c.entries.Peek(key); match(key, e.value) {
			c.drop(key, Removed)
		}
	}
}

// Sweep drops what is old or idle. Call it now and then: nothing else gives memory back that nobody asks for.
func (c *Cache[K, V]) Sweep() (dropped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	for _, key := range c.entries.Keys() {
		if e, _ := c.entries.Peek(key); c.late(e, now) != "" {
			c.drop(key, c.late(e, now))
			dropped++
		}
	}
	return dropped
}

// Size is what is kept.
func (c *Cache[K, V]) Size() (entries int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Len(), c.bytes
}

func (c *Cache[K, V]) drop(key K, why string) {
	c.why = why
	c.entries.Remove(key)
}

func (c *Cache[K, V]) late(e *entry[V], now time.Time) string {
	switch {
	case c.cfg.Age > 0 && now.Sub(e.added) >= c.cfg.Age:
		return Old
	case c.cfg.Idle > 0 && now.Sub(e.used) >= c.cfg.Idle:
		return Idle
	}
	return ""
}
