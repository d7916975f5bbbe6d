package registry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	microregistry "go-micro.dev/v4/registry"
	clientv3 "go.etcd.io/etcd/client/v3"

	"calotype/kit/config"
	"calotype/kit/registration"
	"calotype/kit/registry"
	"calotype/test/servers"
)

func etcdAt(t *testing.T, change func(*registry.Config), addresses ...string) microregistry.Registry {
	t.Helper()
	cfg := registry.DefaultConfig()
	cfg.Kind, cfg.Addresses = registry.Etcd, addresses
	if change != nil {
		change(&cfg)
	}
	r, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// etcdctl does to etcd what others may.
func etcdctl(t *testing.T, addresses ...string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: addresses, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func someNode(id, version string) *microregistry.Service {
	return &microregistry.Service{
		Name: "a/b", Version: version, Metadata: map[string]string{"x": "y"},
		Endpoints: []*microregistry.Endpoint{{Name: "E", Metadata: map[string]string{}}},
		Nodes:     []*microregistry.Node{{Id: id, Address: id + ":1", Metadata: map[string]string{"n": id}}},
	}
}

// ids are the nodes that are found, ordered.
func ids(t *testing.T, r microregistry.Registry, service string) []string {
	t.Helper()
	services, err := r.GetService(service)
	if err != nil && !errors.Is(err, microregistry.ErrNotFound) {
		t.Error(err)
	}
	out := []string{}
	for _, s := range services {
		for _, n := range s.Nodes {
			out = append(out, n.Id)
		}
	}
	slices.Sort(out)
	return out
}

// Keys and values are those of go-micro's plugin; what is there but no node is passed over.
func TestEtcdsLayout(t *testing.T) {
	server := servers.NewEtcd(t)
	r, c := etcdAt(t, nil, server.Addr), etcdctl(t, server.Addr)
	if _, err := r.GetService("a/b"); !errors.Is(err, microregistry.ErrNotFound) {
		t.Errorf("nothing is there: %v", err)
	}
	ttl := microregistry.RegisterTTL(time.Minute)
	must(t, errors.Join(r.Register(someNode("n/1", "1"), ttl), r.Register(someNode("n2", "2"), ttl), r.Register(someNode("n3", "2"), ttl)))
	for key, value := range map[string]string{
		"a-b/junk": "junk", "a-b/null": "null", "a-b/none": `{"name":"a/b"}`, "a-b/nil": `{"name":"a/b","nodes":[null]}`,
		"a-bc/n4": `{"name":"a-bc","version":"1","nodes":[{"id":"n4","address":"n4:1"}]}`,
	} {
		_, err := c.Put(t.Context(), "/micro/registry/"+key, value)
		must(t, err)
	}
	is, err := c.Get(t.Context(), "/micro/registry/a-b/n-1")
	must(t, err)
	want := `{"name":"a/b","version":"1","metadata":{"x":"y"},"endpoints":[{"request":null,"response":null,"metadata":{},"name":"E"}],` +
		`"nodes":[{"metadata":{"n":"n/1"},"id":"n/1","address":"n/1:1"}]}`
	if len(is.Kvs) != 1 || string(is.Kvs[0].Value) != want || is.Kvs[0].Lease == 0 {
		t.Errorf("it is kept as %v", is.Kvs)
	}
	two := someNode("n2", "2")
	two.Nodes = append(two.Nodes, someNode("n3", "2").Nodes...)
	services, err := r.GetService("a/b")
	must(t, err)
	if d := cmp.Diff([]*microregistry.Service{someNode("n/1", "1"), two}, services); d != "" {
		t.Error(d)
	}
	all, err := r.ListServices()
	if err != nil || len(all) != 3 || all[2].Name != "a-bc" {
		t.Errorf("all services are %v, %v", all, err)
	}
	must(t, r.Deregister(two))
	if got := ids(t, r, "a/b"); !slices.Equal(got, []string{"n/1"}) {
		t.Errorf("after two left there are %q", got)
	}
	if leases, err := c.Leases(t.Context()); err != nil || len(leases.Leases) != 1 {
		t.Errorf("the leases are %v, %v", leases, err)
	}
	if r.Register(&microregistry.Service{Name: "s"}) == nil {
		t.Error("a service without nodes was registered")
	}
}

// Any server may be asked first: where that one is away, the next is.
func TestEtcdGoesOnToTheNextServer(t *testing.T) {
	server := servers.NewEtcd(t)
	away := servers.NewRelay(t, server.Addr)
	away.Cut()
	for range 10 { // half of them begin with the one that is away
		must(t, etcdAt(t, nil, away.Addr(), server.Addr).Register(someNode("n", "1")))
	}
}

// A renewal changes nothing that others see; whatever took the node away, the next one brings it back; a dead node goes.
func TestEtcdRenews(t *testing.T) {
	server := servers.NewEtcd(t)
	r, c := etcdAt(t, nil, server.Addr), etcdctl(t, server.Addr)
	key, ttl := "/micro/registry/a-b/n", microregistry.RegisterTTL(time.Minute)
	must(t, r.Register(someNode("n", "1"), ttl))
	first, err := c.Get(t.Context(), key)
	must(t, err)
	must(t, r.Register(someNode("n", "1"), ttl))
	if again, err := c.Get(t.Context(), key); err != nil || again.Header.Revision != first.Header.Revision {
		t.Errorf("a renewal wrote: %v, %v", again, err)
	}
	lease := clientv3.LeaseID(first.Kvs[0].Lease)
	for what, harm := range map[string]func() error{
		"the lease was lost":  func() error { _, err := c.Revoke(t.Context(), lease); return err },
		"the key was deleted": func() error { _, err := c.Delete(t.Context(), key); return err },
		"somebody else wrote": func() error { _, err := c.Put(t.Context(), key, "{}"); return err },
		"it lost its lease":   func() error { _, err := c.Put(t.Context(), key, string(first.Kvs[0].Value)); return err },
	} {
		must(t, harm())
		must(t, r.Register(someNode("n", "1"), ttl))
		now, err := c.Get(t.Context(), key)
		if err != nil || len(now.Kvs) != 1 || string(now.Kvs[0].Value) != string(first.Kvs[0].Value) || now.Kvs[0].Lease == 0 {
			t.Errorf("after %s there is %v, %v", what, now, err)
			continue
		}
		lease = clientv3.LeaseID(now.Kvs[0].Lease)
	}
	changed := someNode("n", "1")
	changed.Nodes[0].Address = "elsewhere:1"
	must(t, r.Register(changed, microregistry.RegisterTTL(2*time.Second)))
	if services, err := r.GetService("a/b"); err != nil || services[0].Nodes[0].Address != "elsewhere:1" {
		t.Errorf("it is at %v, %v", services, err)
	}
	await(t, "who no longer renews has gone", func() bool { return len(ids(t, r, "a/b")) == 0 })
}

// What a watcher tells, put together, is what there is, although the revision that it was at is kept no more, and its way to the server
// is lost.
func TestEtcdsWatch(t *testing.T) {
	server := servers.NewEtcd(t)
	ways := []*servers.Relay{servers.NewRelay(t, server.Addr), servers.NewRelay(t, server.Addr)}
	r, c := etcdAt(t, nil, server.Addr), etcdctl(t, server.Addr)
	must(t, r.Register(someNode("n1", "1")))
	w, err := etcdAt(t, nil, ways[0].Addr(), ways[1].Addr()).Watch(microregistry.WatchService("a/b"))
	must(t, err)
	told := make(chan string, 100)
	go func() {
		defer close(told)
		for {
			r, err := w.Next()
			if err != nil {
				told <- err.Error()
				return
			}
			told <- r.Action + " " + r.Service.Nodes[0].Id
		}
	}()
	is := func(want ...string) {
		t.Helper()
		for _, text := range want {
			select {
			case got := <-told:
				if got != text {
					t.Fatalf("it tells %q, want %q", got, text)
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("it never tells %q", text)
			}
		}
	}
	is("create n1")
	changed := someNode("n1", "1")
	changed.Metadata["x"] = "z"
	must(t, errors.Join(r.Register(someNode("n2", "1")), r.Register(changed), r.Deregister(someNode("n1", "1"))))
	is("create n2", "update n1", "delete n1")
	ways[0].Cut()
	must(t, r.Register(someNode("n3", "1")))
	is("create n3")
	// Cut off altogether, while a node leaves, one comes, one comes and goes, and all that is forgotten.
	ways[1].Cut()
	must(t, errors.Join(r.Deregister(someNode("n3", "1")), r.Register(someNode("n4", "1")), r.Register(someNode("n5", "1")), r.Deregister(someNode("n5", "1"))))
	now, err := c.Get(t.Context(), "/")
	must(t, err)
	_, err = c.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical())
	must(t, err)
	ways[0].Heal()
	is("delete n3", "create n4")
	w.Stop()
	is(microregistry.ErrWatcherStopped.Error())
}

// Certificates and passwords: who has none is refused, and who comes before the server does waits for it.
func TestEtcdsAccess(t *testing.T) {
	files := servers.NewAuthority(t).Issue(t.TempDir(), 1)
	server := servers.NewEtcd(t, files)
	secret := func(c *registry.Config) {
		c.TLS = registry.TLS{Enabled: true, CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key}
	}
	r := etcdAt(t, secret, server.Addr)
	must(t, r.Register(someNode("n", "1")))
	if err := etcdAt(t, func(c *registry.Config) { c.TLS = registry.TLS{Enabled: true, CAFile: files.CA} }, server.Addr).Register(someNode("m", "1")); err == nil {
		t.Error("who has no certificate was let in")
	}

	open := servers.NewEtcd(t)
	c := etcdctl(t, open.Addr)
	for _, user := range []string{"root", "calotype"} {
		_, err := c.UserAdd(t.Context(), user, "s3cret")
		must(t, err)
		_, err = c.RoleAdd(t.Context(), user)
		must(t, err)
		_, err = c.UserGrantRole(t.Context(), user, user)
		must(t, err)
	}
	_, err := c.RoleGrantPermission(t.Context(), "calotype", "/micro/registry/", clientv3.GetPrefixRangeEnd("/micro/registry/"), clientv3.PermissionType(clientv3.PermReadWrite))
	must(t, err)
	_, err = c.AuthEnable(t.Context())
	must(t, err)
	as := func(password config.Secret) func(*registry.Config) {
		return func(c *registry.Config) { c.Username, c.Password = "calotype", password }
	}
	if err := etcdAt(t, nil, open.Addr).Register(someNode("n", "1")); err == nil {
		t.Error("who has no password was let in")
	}
	if err := etcdAt(t, as("wrong"), open.Addr).Register(someNode("n", "1")); err == nil {
		t.Error("who has another password was let in")
	}
	open.Kill()
	early := etcdAt(t, as("s3cret"), open.Addr)
	if _, err := early.GetService("a/b"); err == nil || errors.Is(err, microregistry.ErrNotFound) {
		t.Errorf("without a server: %v", err)
	}
	// The second time the server has forgotten whom it let in.
	for range 2 {
		open.Kill()
		open.Start()
		await(t, "it is let in", func() bool { return early.Register(someNode("n", "1"), microregistry.RegisterTTL(time.Minute)) == nil })
	}
	if got := ids(t, early, "a/b"); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}

// A node stays registered, and is found, whatever one of three etcd servers does, the leader included; and a watcher tells of who joins
// meanwhile. When all are frozen, nothing changes: errors say that nobody knows.
func TestNoEtcdIsOneToDependOn(t *testing.T) {
	cluster := servers.NewEtcdCluster(t, 3)
	var log lines
	callers := etcdAt(t, nil, cluster.Addresses()...)
	node := &microregistry.Service{Name: "s", Version: "1", Nodes: []*microregistry.Node{{Id: "n", Address: "10.0.0.9:9000"}}}
	registered := registration.Start(registration.Config{
		Registry: etcdAt(t, nil, cluster.Addresses()...), TTL: registry.DefaultConfig().TTL, Interval: registry.DefaultConfig().Interval, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}, node)
	w, err := callers.Watch(microregistry.WatchService("joins"))
	must(t, err)
	defer w.Stop()
	joined := make(chan string, 100)
	go func() {
		for r, err := w.Next(); err == nil; r, err = w.Next() {
			joined <- r.Service.Nodes[0].Id
		}
	}()
	found := func() bool {
		services, err := callers.GetService("s")
		return err == nil && len(services) == 1 && len(services[0].Nodes) == 1
	}
	await(t, "the node is found", found)
	for _, f := range []struct {
		name string
		do   func() *servers.Etcd
		undo func(*servers.Etcd)
	}{
		{"the leader was killed", func() *servers.Etcd { e := cluster.Leader(); e.Kill(); return e }, func(e *servers.Etcd) { e.Start() }},
		{"another was killed", func() *servers.Etcd { e := cluster.Follower(); e.Kill(); return e }, func(e *servers.Etcd) { e.Start() }},
		{"the leader froze", func() *servers.Etcd { e := cluster.Leader(); e.Freeze(); return e }, func(e *servers.Etcd) { e.Thaw() }},
		{"another froze", func() *servers.Etcd { e := cluster.Follower(); e.Freeze(); return e }, func(e *servers.Etcd) { e.Thaw() }},
	} {
		began := time.Now()
		down := f.do()
		join := &microregistry.Service{Name: "joins", Version: "1", Nodes: []*microregistry.Node{{Id: f.name, Address: "10.0.0.9:9001"}}}
		await(t, "one joins after "+f.name, func() bool { return callers.Register(join) == nil })
		wrote := time.Since(began)
		select {
		case id := <-joined:
			if id != f.name {
				t.Errorf("%q is told of", id)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nobody is told of who joined after %s", f.name)
		}
		told := time.Since(began)
		await(t, "the node is renewed after "+f.name, func() bool { return registered.Heard().After(began) })
		renewed := registered.Heard().Sub(began)
		await(t, "it is found after "+f.name, found)
		ms := 10 * time.Millisecond
		t.Logf("%s: written after %v, told of after %v, renewed after %v", f.name, wrote.Round(ms), told.Round(ms), renewed.Round(ms))
		f.undo(down)
	}
	for _, n := range cluster.Nodes {
		n.Freeze()
	}
	if services, err := callers.GetService("s"); err == nil || errors.Is(err, microregistry.ErrNotFound) {
		t.Errorf("frozen servers gave %v, %v", services, err)
	}
	for _, n := range cluster.Nodes {
		n.Thaw()
	}
	await(t, "it is found after all thawed", found)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, registered.End(ctx))
	if found() {
		t.Error("the node has left, and is found")
	}
	if t.Failed() {
		t.Log(log.String())
	}
}
