package catalog

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// mute is an Opener to nodes that tell nothing of themselves.
type mute struct{}

func (mute) NewStream(context.Context, string, *grpc.StreamDesc, string, ...client.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no reflection")
}

// fails is a registry that fails when told to.
type fails struct {
	registry.Registry
	err error
}

func (f *fails) ListServices(opts ...registry.ListOption) ([]*registry.Service, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.Registry.ListServices(opts...)
}

func put(t *testing.T, r registry.Registry, name, id, services string) *registry.Service {
	t.Helper()
	s := &registry.Service{Name: name, Version: "1", Nodes: []*registry.Node{{Id: id, Address: id + ":1", Metadata: map[string]string{"grpc": services}}}}
	if err := r.Register(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *Catalog) in(t *testing.T, service string) string {
	t.Helper()
	m, err := c.Find(t.Context(), "/"+service+"/Do")
	if err != nil {
		return status.Code(err).String()
	}
	return m.Registry
}

func TestWhoServesWhat(t *testing.T) {
	reg := &fails{Registry: registry.NewMemoryRegistry()}
	c := New(Config{Registry: reg, Opener: mute{}, Known: map[string]string{"own.v1.Own": "ours"}, Rules: Rules{"*", "!hidden.*"}, Log: slog.New(slog.DiscardHandler)})
	// Nobody takes over what is ours, nor what another serves already; and what tells of one node is none's for all.
	put(t, reg, "aaa", "a", "own.v1.Own,shared.v1.S,grpc.health.v1.Health,node.v1.Nodes,hidden.v1.H")
	first := put(t, reg, "bbb", "b", "shared.v1.S,other.v1.O")
	c.refresh(t.Context())
	if got := []string{c.in(t, "own.v1.Own"), c.in(t, "shared.v1.S"), c.in(t, "other.v1.O"), c.in(t, "hidden.v1.H"), c.in(t, "node.v1.Nodes")}; !slices.Equal(got,
		[]string{"ours", "aaa", "bbb", "Unimplemented", "Unimplemented"}) {
		t.Errorf("found %v", got)
	}
	if got := strings.Join(c.Services(), " "); got != "other.v1.O own.v1.Own shared.v1.S" {
		t.Errorf("there are %s", got)
	}
	put(t, reg, "AAA", "A", "other.v1.O")
	c.refresh(t.Context())
	if got := c.in(t, "other.v1.O"); got != "bbb" {
		t.Errorf("a newcomer took it over: %s", got)
	}
	// A registry that is away changes nothing; one that has lost the nodes leaves the service known.
	reg.err = errors.New("away")
	c.refresh(t.Context())
	if n, ok := c.Nodes("other.v1.O"); n != 1 || !ok {
		t.Errorf("%d nodes, %v", n, ok)
	}
	reg.err = nil
	if err := reg.Deregister(first); err != nil {
		t.Fatal(err)
	}
	c.refresh(t.Context())
	if got := c.in(t, "other.v1.O"); got != "AAA" {
		t.Errorf("after its node has gone it is found in %s", got)
	}
	if n, ok := c.Nodes("own.v1.Own"); n != 0 || !ok {
		t.Errorf("ours has %d nodes, %v", n, ok)
	}
}

func TestNamesOfStrangersAreBounded(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	put(t, reg, "aaa", "a", "a.v1.A")
	c := New(Config{Registry: reg, Opener: mute{}, Rules: Rules{"*"}, Log: slog.New(slog.DiscardHandler)})
	c.refresh(t.Context())
	var err error
	n := 0
	for ; err == nil && n <= maxOpaque; n++ {
		_, err = c.Find(t.Context(), "/a.v1.A/"+strings.Repeat("x", n+1))
	}
	if status.Code(err) != codes.Unimplemented || n != maxOpaque+1 {
		t.Errorf("after %d: %v", n, err)
	}
	if _, err := c.Find(t.Context(), "/a.v1.A/x"); err != nil {
		t.Errorf("one that is known: %v", err)
	}
	for _, bad := range []string{"", "/", "/a", "a.v1.A/x", "//x", "/a.v1.A/", "/a.v1.A/x/y"} {
		if _, err := c.Find(t.Context(), bad); status.Code(err) != codes.Unimplemented {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
