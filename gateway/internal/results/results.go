// Package results keeps small pictures made on the fly in a gateway's memory, and for a few seconds what managers said of their
// addresses. A picture's key tells everything that it was made from, so it never is the wrong one; what may go out of date is the plan.
package results

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/cache"
	"calotype/kit/flight"
	imagev1 "calotype/proto/image/v1"
)

const (
	largest  = 1 << 20 // of one picture: what one message of a stream carries
	planning = 4 << 20 // bytes of plans
)

// Cache is what one gateway keeps.
type Cache struct {
	cfg     Config
	results *cache.Cache[string, *Result]
	plans   *cache.Cache[address, *imagev1.PlanResponse]
	asked   flight.Group[asking, *imagev1.PlanResponse]
	// forgot counts what was forgotten: what was asked for before that is neither kept nor shared with who asks after it.
	mu      sync.Mutex
	forgot  int
	counted *prometheus.CounterVec
}

// Result is a whole picture. Nobody may write to it.
type Result struct {
	Head *imagev1.Result
	Data []byte
}

// New makes a Cache. Call Run too, or what nobody uses stays.
func New(cfg Config, registry prometheus.Registerer) *Cache {
	c := &Cache{
		cfg:     cfg,
		results: cache.New[string, *Result](cache.Config[string]{Bytes: int64(cfg.Memory), Largest: largest, Idle: cfg.Idle}),
		counted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_gateway_kept_total", Help: "What was asked of a gateway's own memory: results and plans, hits and misses.",
		}, []string{"of", "outcome"}),
	}
	plans := cache.Config[address]{Bytes: planning, Age: cfg.Plans}
	if cfg.Plans == 0 {
		plans.Bytes = 0
	}
	c.plans = cache.New[address, *imagev1.PlanResponse](plans)
	for _, of := range []string{"results", "plans"} {
		for _, outcome := range []string{"hit", "miss"} {
			c.counted.WithLabelValues(of, outcome)
		}
	}
	for _, m := range []prometheus.Collector{c.counted, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "calotype_gateway_kept_bytes", Help: "Bytes of results that a gateway keeps.",
	}, func() float64 { _, bytes := c.results.Size(); return float64(bytes) })} {
		_ = registry.Register(m) // a second gateway in a process goes without
	}
	return c
}

func (c *Cache) count(of string, hit bool) {
	outcome := "miss"
	if hit {
		outcome = "hit"
	}
	c.counted.WithLabelValues(of, outcome).Inc()
}

// Get gives the result of a key that is kept.
func (c *Cache) Get(key string) (*Result, bool) {
	if c.cfg.Memory == 0 {
		return nil, false
	}
	r, ok := c.results.Get(key)
	c.count("results", ok)
	return r, ok
}

// Keeping gives what next gives, and keeps it under the key where it ended well, is small, and is what the key says: a node of another
// version may have made something else.
func (c *Cache) Keeping(key string, head *imagev1.Result, next func() ([]byte, error)) func() ([]byte, error) {
	size := head.GetSize()
	if head.GetKey() != key || size > largest || !c.results.Fits(size) {
		return next
	}
	data := make([]byte, 0, size)
	return func() ([]byte, error) {
		chunk, err := next()
		if len(data)+len(chunk) <= cap(data) {
			data = append(data, chunk...)
		} else {
			err = errors.Join(err, io.ErrUnexpectedEOF) // more than it was said to be
		}
		if errors.Is(err, io.EOF) && int64(len(data)) == size {
			c.results.Add(key, &Result{head, data}, size)
		}
		return chunk, err
	}
}

// Run drops what nobody uses, until ctx ends.
func (c *Cache) Run(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Idle / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.results.Sweep()
			c.plans.Sweep()
		}
	}
}
