package nodes

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go-micro.dev/v4/registry"

	"calotype/kit/registry/follow"
)

func same(a, b [][]string) bool { return slices.EqualFunc(a, b, slices.Equal) }

func TestAddresses(t *testing.T) {
	node := func(address, protocol string) *registry.Node {
		return &registry.Node{Address: address, Metadata: map[string]string{"protocol": protocol}}
	}
	got := Addresses([]*registry.Node{node("b:2", "http"), node("a:1", ""), node("b:2", "http"), node("c:3", "https"), node("d", "http"), node(":4", "http")})
	if !same(got, [][]string{{"a:1", "b:2"}}) {
		t.Errorf("got %q", got)
	}
	far := []*registry.Node{node("z:1", "http"), node("y:1", "http")}
	follow.Place{Datacenter: "dc3", Order: 2}.Mark([]*registry.Service{{Nodes: far}})
	if got := Addresses(append(far, node("a:1", ""))); !same(got, [][]string{{"a:1"}, nil, {"y:1", "z:1"}}) {
		t.Errorf("of two datacenters: %q", got)
	}
}

func TestTheFileIsWholeOrNotThere(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "list"))
	if got, err := f.Read(); got != nil || err != nil {
		t.Errorf("before the first: %q, %v", got, err)
	}
	for _, want := range [][][]string{{{"a:1"}}, {{"a:1", "b:2"}}, {{}, {"c:3"}}} {
		if err := f.Write(want); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Read(); err != nil || !same(got, want) {
			t.Errorf("wrote %q, read %q, %v", want, got, err)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(string(f))); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
	if err := os.WriteFile(string(f), []byte(`{"addresses":["a:1","nonsense"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Read(); err != nil || !same(got, [][]string{{"a:1"}}) {
		t.Errorf("read %q, %v", got, err)
	}
	if err := os.WriteFile(string(f), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(); err == nil {
		t.Error("half a file is read")
	}
	if err := File("/nowhere/list").Write(nil); err == nil {
		t.Error("wrote to nowhere")
	}
}
