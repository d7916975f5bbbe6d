package boot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// components are what a service does beside answering: consumers, sweepers, relays.
type components struct {
	parts  []component
	failed func(error)

	ctx    context.Context // ends when the drain begins
	cancel context.CancelFunc
	work   context.Context // ends when the drain's time is up
	cut    context.CancelFunc

	mu   sync.Mutex
	errs []error
}

type component struct {
	name string
	f    func(context.Context) error
	done chan struct{}
}

type workKey struct{}

// Work gives a component the context for work it has begun: it outlives ctx, the component's own, until the drain's time is up.
// For any other context it is the context itself.
func Work(ctx context.Context) context.Context {
	if w, ok := ctx.Value(workKey{}).(context.Context); ok {
		return w
	}
	return ctx
}

func newComponents(failed func(error)) *components {
	c := &components{failed: failed}
	c.work, c.cut = context.WithCancel(context.Background())
	c.ctx, c.cancel = context.WithCancel(context.WithValue(context.Background(), workKey{}, c.work))
	return c
}

func (c *components) add(name string, f func(context.Context) error) {
	c.parts = append(c.parts, component{name, f, make(chan struct{})})
}

func (c *components) start() {
	for _, p := range c.parts {
		go func() {
			defer close(p.done)
			if err := p.run(c.ctx); err != nil {
				c.mu.Lock()
				c.errs = append(c.errs, err)
				c.mu.Unlock()
				if c.ctx.Err() == nil {
					c.failed(nil) // the error itself is told when the drain is done
				}
			}
		}()
	}
}

// run turns a panic into an error: the service then leaves in order.
func (p component) run(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s panicked: %v\n%s", p.name, r, debug.Stack())
		}
	}()
	if err = p.f(ctx); err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

// stop tells the components to end, and gives what waits for them, no longer than ctx.
func (c *components) stop(ctx context.Context) func() []error {
	c.cancel()
	return func() []error {
		defer c.cut()
		var late []error
		for _, p := range c.parts {
			select {
			case <-p.done:
			case <-ctx.Done():
				select {
				case <-p.done:
				default:
					late = append(late, fmt.Errorf("%s did not end in time", p.name))
				}
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return append(c.errs, late...)
	}
}
