package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"go-micro.dev/v4/registry"
	clientv3 "go.etcd.io/etcd/client/v3"

	"calotype/kit/internal/pause"
)

// Watch tells of a service's nodes, or all, as they come, change and go: first of those that are there. Whatever becomes of the server
// that tells, another one goes on, and what changed meanwhile is told then.
func (e *etcd) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	var o registry.WatchOptions
	for _, opt := range opts {
		opt(&o)
	}
	w := &etcdWatcher{etcd: e, prefix: etcdRoot, results: make(chan *registry.Result), known: map[string]*registry.Service{}}
	if o.Service != "" {
		w.prefix = serviceKey(o.Service)
	}
	w.ctx, w.stop = context.WithCancel(or(o.Context))
	go w.run()
	return w, nil
}

type etcdWatcher struct {
	etcd    *etcd
	prefix  string
	results chan *registry.Result
	known   map[string]*registry.Service // by key: what was told
	ctx     context.Context
	stop    context.CancelFunc
}

func (w *etcdWatcher) Next() (*registry.Result, error) {
	select {
	case r := <-w.results:
		return r, nil
	case <-w.ctx.Done():
		return nil, registry.ErrWatcherStopped
	}
}

func (w *etcdWatcher) Stop() { w.stop() }

func (w *etcdWatcher) run() {
	for wait := breath; pause.For(w.ctx, wait); {
		wait = time.Second
		found, revision, err := w.etcd.read(w.ctx, w.prefix)
		if err != nil {
			continue
		}
		there := map[string]*registry.Service{}
		for _, f := range found {
			there[f.key] = f.service
		}
		for key := range w.known {
			if there[key] == nil {
				w.tell(key, nil)
			}
		}
		for _, f := range found {
			w.tell(f.key, f.service)
		}
		_ = w.etcd.Follow(w.ctx, w.prefix, revision+1, func(events []*clientv3.Event) bool { // what ends it is read anew
			wait = breath
			for _, event := range events {
				var s *registry.Service
				if event.Type == clientv3.EventTypePut {
					s = decode(event.Kv.Value)
				}
				w.tell(string(event.Kv.Key), s)
			}
			return w.ctx.Err() == nil
		})
	}
}

// tell says what is new about a key; nil is that it has gone.
func (w *etcdWatcher) tell(key string, s *registry.Service) {
	before := w.known[key]
	r := &registry.Result{Action: "create", Service: s}
	switch {
	case s == nil && before == nil, s != nil && before != nil && same(s, before):
		return
	case s == nil:
		r.Action, r.Service = "delete", before
		delete(w.known, key)
	case before != nil:
		r.Action = "update"
		fallthrough
	default:
		w.known[key] = s
	}
	select {
	case w.results <- r:
	case <-w.ctx.Done():
	}
}

func same(a, b *registry.Service) bool {
	x, _ := json.Marshal(a) // was read from JSON
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}
