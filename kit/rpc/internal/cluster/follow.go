package cluster

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"go-micro.dev/v4/registry"
)

// follow lists the service, and lists it again on every event of the registry's watcher and from time to time without one:
// events may get lost, and a list cannot be misread. An error changes nothing: the last good list stays.
func (c *Cluster) follow() {
	events := make(chan struct{}, 1)
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		c.watch(events)
	}()
	away := false
	for {
		list, err := c.list()
		switch {
		case err == nil:
			c.set(list)
			if away {
				c.cfg.Log.Info("the registry answers again", slog.String("service", c.cfg.Service))
			}
			away = false
		case !away:
			away = true
			c.cfg.Log.Warn("the registry does not answer; keeping the last list", slog.String("service", c.cfg.Service),
				slog.Int("nodes", len(c.Nodes())), slog.String("error", err.Error()))
		}
		wait := c.cfg.Relist
		if err != nil || len(list) == 0 {
			wait = min(wait, time.Second)
		}
		if !c.sleep(jitter(wait), events) {
			return
		}
	}
}

func (c *Cluster) list() ([]*registry.Node, error) {
	services, err := c.cfg.Registry.GetService(c.cfg.Service, registry.GetContext(c.ctx))
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
func (c *Cluster) watch(events chan<- struct{}) {
	nudge := func() {
		select {
		case events <- struct{}{}:
		default:
		}
	}
	for c.ctx.Err() == nil {
		w, err := c.cfg.Registry.Watch(registry.WatchService(c.cfg.Service), registry.WatchContext(c.ctx))
		if err == nil {
			stop := make(chan struct{})
			c.work.Add(1)
			go func() {
				defer c.work.Done()
				select {
				case <-c.ctx.Done():
				case <-stop:
				}
				w.Stop()
			}()
			// What changed before the watcher stood went unseen.
			nudge()
			for err == nil {
				if _, err = w.Next(); err == nil {
					nudge()
				}
			}
			close(stop)
		}
		if !c.sleep(jitter(time.Second), nil) {
			return
		}
	}
}

// sleep waits, less long when an event comes, and tells whether to go on.
func (c *Cluster) sleep(d time.Duration, events <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.ctx.Done():
		return false
	case <-events:
	case <-t.C:
	}
	return c.ctx.Err() == nil
}

func jitter(d time.Duration) time.Duration {
	return d/2 + d/4 + rand.N(d/2+1)
}
