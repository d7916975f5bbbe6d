// Package follow keeps up with a service's nodes in a registry, whatever becomes of the registry. It knows no kind of registry.
package follow

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go-micro.dev/v4/registry"
)

// Config says what is followed.
type Config struct {
	Registry registry.Registry
	Service  string
	Relist   time.Duration // how often the registry is asked without an event
	Log      *slog.Logger
}

// Run lists the service, and lists it again on every event of the registry's watcher and from time to time without one: events may
// get lost, and a list cannot be misread. Set is told of every list, an empty one too, one at a time; a registry that does not answer
// changes nothing. Of a registry that knows several datacenters each is followed by itself, and set is told of all that are known, those of
// one's own first. Run returns when ctx has ended.
func Run(ctx context.Context, cfg Config, set func([]*registry.Node)) {
	many, ok := cfg.Registry.(Datacenters)
	if !ok {
		follower{cfg}.run(ctx, func(list []*registry.Node, err error) {
			if err == nil {
				set(list)
			}
		})
		return
	}
	datacenters := many.Datacenters()
	m := newMerger(len(datacenters), set)
	var all sync.WaitGroup
	for at, d := range datacenters {
		each := cfg
		if each.Registry = d.Registry; d.Name != "" {
			each.Log = cfg.Log.With(slog.String("datacenter", d.Name))
		}
		all.Go(func() {
			follower{each}.run(ctx, func(list []*registry.Node, err error) { m.take(at, list, err) })
		})
	}
	all.Wait()
}

type follower struct{ Config }

// run tells of every answer of the registry's, and that there was none.
func (f follower) run(ctx context.Context, tell func([]*registry.Node, error)) {
	events := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() { f.watch(ctx, events) })
	defer watching.Wait()
	away, known := false, 0
	for {
		list, err := f.list(ctx)
		if ctx.Err() != nil {
			return
		}
		tell(list, err)
		switch {
		case err == nil:
			known = len(list)
			if away {
				f.Log.Info("the registry answers again", slog.String("service", f.Service))
			}
			away = false
		case !away:
			away = true
			f.Log.Warn("the registry does not answer; keeping the last list", slog.String("service", f.Service),
				slog.Int("nodes", known), slog.String("error", err.Error()))
		}
		wait := f.Relist
		if err != nil || len(list) == 0 {
			wait = min(wait, time.Second)
		}
		if !sleep(ctx, jitter(wait), events) {
			return
		}
	}
}

func (f follower) list(ctx context.Context) ([]*registry.Node, error) {
	services, err := f.Registry.GetService(f.Service, registry.GetContext(ctx))
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	var nodes []*registry.Node
	for _, s := range services {
		nodes = append(nodes, s.Nodes...)
	}
	return nodes, nil
}

// watch turns whatever the registry's watcher tells into a reason to list again.
func (f follower) watch(ctx context.Context, events chan<- struct{}) {
	nudge := func() {
		select {
		case events <- struct{}{}:
		default:
		}
	}
	var stopping sync.WaitGroup
	defer stopping.Wait()
	for ctx.Err() == nil {
		w, err := f.Registry.Watch(registry.WatchService(f.Service), registry.WatchContext(ctx))
		if err == nil {
			stop := make(chan struct{})
			stopping.Go(func() {
				select {
				case <-ctx.Done():
				case <-stop:
				}
				w.Stop()
			})
			// What changed before the watcher stood went unseen.
			nudge()
			for err == nil {
				if _, err = w.Next(); err == nil {
					nudge()
				}
			}
			close(stop)
		}
		if !sleep(ctx, jitter(time.Second), nil) {
			return
		}
	}
}

// sleep waits, less long when an event comes, and tells whether to go on.
func sleep(ctx context.Context, d time.Duration, events <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-events:
	case <-t.C:
	}
	return ctx.Err() == nil
}

func jitter(d time.Duration) time.Duration {
	return d/2 + d/4 + rand.N(d/2+1)
}
