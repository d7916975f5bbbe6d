package cache

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// clocked is a cache under a clock of its own, and what it dropped.
func clocked(cfg Config[string]) (c *Cache[string, int], pass func(time.Duration), dropped *[]string) {
	now := time.Unix(1e9, 0)
	dropped = new([]string)
	cfg.Now = func() time.Time { return now }
	cfg.Dropped = func(key string, bytes int64, why string) {
		*dropped = append(*dropped, fmt.Sprintf("%s %d %s", key, bytes, why))
	}
	return New[string, int](cfg), func(d time.Duration) { now = now.Add(d) }, dropped
}

func TestBytesAreBounded(t *testing.T) {
	c, _, dropped := clocked(Config[string]{Bytes: 100, Largest: 60})
	c.Add("a", 1, 40)
	c.Add("b", 2, 40)
	if v, ok := c.Get("a"); !ok || v != 1 {
		t.Error("a is missing")
	}
	c.Add("c", 3, 60) // b, then a too: 40 + 60 would fit, and does
	c.Add("d", 4, 61)
	if want := []string{"b 40 space"}; !slices.Equal(*dropped, want) {
		t.Errorf("dropped %q", *dropped)
	}
	if c.Has("b") || c.Has("d") || !c.Has("a") || !c.Has("c") {
		t.Error("the wrong ones are left")
	}
	if n, bytes := c.Size(); n != 2 || bytes != 100 {
		t.Errorf("%d entries of %d bytes", n, bytes)
	}
	c.Add("c", 5, 10)
	if v, _ := c.Get("c"); v != 5 {
		t.Errorf("c is %d", v)
	}
	if _, bytes := c.Size(); bytes != 50 {
		t.Errorf("%d bytes", bytes)
	}
}

func TestTimeIsBounded(t *testing.T) {
	c, pass, dropped := clocked(Config[string]{Bytes: 100, Idle: time.Minute, Age: 150 * time.Second})
	c.Add("used", 1, 1)
	c.Add("idle", 2, 1)
	pass(40 * time.Second)
	c.Get("used")
	pass(40 * time.Second)
	if n := c.Sweep(); n != 1 || c.Has("idle") {
		t.Errorf("%d swept", n)
	}
	c.Get("used")
	pass(40 * time.Second)
	c.Get("used")
	pass(40 * time.Second)
	if _, ok := c.Get("used"); ok {
		t.Error("it is too old by now, however much it is used")
	}
	if want := []string{"idle 1 idle", "used 1 old"}; !slices.Equal(*dropped, want) {
		t.Errorf("dropped %q", *dropped)
	}
}

func TestNothingIsKeptInNoRoom(t *testing.T) {
	c := New[string, int](Config[string]{})
	c.Add("a", 1, 1)
	if _, ok := c.Get("a"); ok {
		t.Error("it was kept")
	}
}

func TestConcurrentUse(t *testing.T) {
	c := New[int, int](Config[int]{Bytes: 1000, Idle: time.Nanosecond})
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 1000 {
				c.Add(i%50, i, int64(1+i%100))
				c.Get((i + n) % 50)
				c.Sweep()
				c.Remove(i % 7)
			}
		})
	}
	all.Wait()
	for key := range 50 {
		c.Remove(key)
	}
	if n, bytes := c.Size(); n != 0 || bytes != 0 {
		t.Errorf("%d entries of %d bytes are left of none", n, bytes)
	}
}
