package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	nodev1 "calotype/proto/node/v1"
)

// node is one that tells what it is told to, until it hangs.
type node struct {
	nodev1.UnimplementedNodesServer
	addr  string
	tells *nodev1.StatusResponse
	hangs atomic.Bool
}

func (n *node) Status(ctx context.Context, _ *nodev1.StatusRequest) (*nodev1.StatusResponse, error) {
	if n.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return n.tells, nil
}

func serve(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	register(s)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func newNode(t *testing.T, tells *nodev1.StatusResponse) *node {
	n := &node{tells: tells}
	n.addr = serve(t, func(s *grpc.Server) { nodev1.RegisterNodesServer(s, n) })
	return n
}

func put(t *testing.T, r registry.Registry, service, id, addr string) *registry.Service {
	t.Helper()
	s := &registry.Service{Name: service, Version: "1.2.3", Nodes: []*registry.Node{{Id: id, Address: addr, Metadata: map[string]string{"protocol": "grpc"}}}}
	if err := r.Register(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func list(t *testing.T, h *Handler) (all map[string]map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/v1/nodes", nil))
	var got struct {
		Nodes []map[string]any `json:"nodes"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	all = map[string]map[string]any{}
	for _, n := range got.Nodes {
		all[n["id"].(string)] = n
	}
	return all
}

func TestNodesTellHowTheyAre(t *testing.T) {
	began := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	busy := newNode(t, &nodev1.StatusResponse{
		Id: "busy", Commit: "abc", StartTime: timestamppb.New(began), Ready: true, HeartbeatAge: durationpb.New(1204 * time.Millisecond),
		Slots: 3, InFlight: 2, Waiting: 1, Leads: []*nodev1.Term{{Duty: "reconcile", Fence: 1795308205501, SinceTime: timestamppb.New(began)}},
	})
	leaving := newNode(t, &nodev1.StatusResponse{Id: "leaving", StartTime: timestamppb.New(began)})
	usurped := newNode(t, &nodev1.StatusResponse{Id: "another", StartTime: timestamppb.New(began), Ready: true})
	old := serve(t, func(*grpc.Server) {})
	reg := registry.NewMemoryRegistry()
	put(t, reg, "a", "busy", busy.addr)
	put(t, reg, "a", "leaving", leaving.addr)
	put(t, reg, "a", "usurped", usurped.addr)
	put(t, reg, "b", "old", old)
	gone := put(t, reg, "b", "gone", "127.0.0.1:1")
	var dialled atomic.Int64
	h := New(Config{Registry: reg, Services: []string{"a", "b", "c"}, Timeout: 10 * time.Second, Patience: 2 * time.Second,
		Dial: func(address, protocol string) (*grpc.ClientConn, error) {
			if protocol != "grpc" {
				return nil, errors.New(protocol)
			}
			dialled.Add(1)
			return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		}})
	t.Cleanup(h.Close)

	got := list(t, h)
	want := map[string]any{
		"service": "a", "id": "busy", "address": busy.addr, "version": "1.2.3", "metadata": map[string]any{"protocol": "grpc"},
		"state": "ready", "commit": "abc", "start_time": "2026-11-22T01:02:03Z", "heartbeat_age": "1.204s", "slots": 3.0, "in_flight": 2.0, "waiting": 1.0,
		"leads": []any{map[string]any{"duty": "reconcile", "fence": 1795308205501.0, "since_time": "2026-11-22T01:02:03Z"}},
	}
	if d := cmp.Diff(want, got["busy"]); d != "" {
		t.Error(d)
	}
	for id, state := range map[string]string{"leaving": "not_ready", "usurped": "silent", "old": "unknown", "gone": "silent"} {
		if got[id]["state"] != state || got[id]["last_answer_age"] != nil {
			t.Errorf("%s is %v", id, got[id])
		}
	}
	if got["leaving"]["in_flight"] != 0.0 || got["gone"]["in_flight"] != nil {
		t.Errorf("what is not told is not nothing: %v, %v", got["leaving"], got["gone"])
	}

	// A node that falls silent was heard not long ago, and keeps nobody waiting but for a moment.
	busy.hangs.Store(true)
	h.asker.timeout = 50 * time.Millisecond
	if err := reg.Deregister(gone); err != nil {
		t.Fatal(err)
	}
	got = list(t, h)
	if age, err := time.ParseDuration(got["busy"]["last_answer_age"].(string)); err != nil || age <= 0 || got["busy"]["state"] != "silent" || got["busy"]["leads"] != nil {
		t.Errorf("the one that hangs is %v", got["busy"])
	}
	if dialled.Load() != 5 || len(h.asker.peers) != 4 {
		t.Errorf("dialled %d times, %d connections", dialled.Load(), len(h.asker.peers))
	}
	h.Close()
	if got := list(t, h); got["leaving"]["state"] != "silent" {
		t.Errorf("after the end %v", got["leaving"])
	}
}
