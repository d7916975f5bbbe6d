package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"

	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
)

// outage is a registry that can be away. It counts what it was asked.
type outage struct {
	registry.Registry
	away            atomic.Bool
	lists, attempts atomic.Int64
}

var errAway = errors.New("the registry is away")

func (o *outage) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	if o.away.Load() {
		return nil, errAway
	}
	list, err := o.Registry.GetService(name, opts...)
	o.lists.Add(1)
	return list, err
}

func (o *outage) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	if o.away.Load() {
		return nil, errAway
	}
	return o.Registry.Watch(opts...)
}

func (o *outage) Register(s *registry.Service, opts ...registry.RegisterOption) error {
	o.attempts.Add(1)
	if o.away.Load() {
		return errAway
	}
	return o.Registry.Register(s, opts...)
}

func TestWhatIsFollowedIsFoundWhenTheRegistryLeavesBeforeTheFirstCall(t *testing.T) {
	reg := &outage{Registry: registry.NewMemoryRegistry()}
	serve(t, reg, "greeter", "1", greets(&greeter{}))
	c := newClient(t, reg)
	if err := c.Follow("greeter"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the registry was asked", func() bool { return reg.lists.Load() > 0 })
	reg.away.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := greeterv1.NewGreeterService("greeter", c).Hello(ctx, &greeterv1.HelloRequest{Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func TestARegistrysOutageIsLoggedOnce(t *testing.T) {
	reg, log := &outage{Registry: registry.NewMemoryRegistry()}, &lines{}
	serveWith(t, rpc.ServerConfig{Log: slog.New(slog.NewTextHandler(log, nil))}, reg, "greeter", "1", greets(&greeter{}),
		server.RegisterInterval(time.Millisecond))
	for outages := range 2 {
		reg.away.Store(true)
		from := reg.attempts.Load()
		eventually(t, "it tried again", func() bool { return reg.attempts.Load() >= from+3 })
		if n := log.count("registering failed"); n != outages+1 {
			t.Errorf("%d lines after %d outages", n, outages+1)
		}
		reg.away.Store(false)
		eventually(t, "it was registered again", func() bool { return log.count("msg=registered") == outages+2 })
	}
}
