package boot

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"go-micro.dev/v4/server"

	"calotype/kit/leader"
	nodev1 "calotype/proto/node/v1"
)

func askStatus(t *testing.T, h *Host, address, protocol string) *nodev1.StatusResponse {
	t.Helper()
	conn, err := h.Dial(address, protocol)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rsp, err := nodev1.NewNodesClient(conn).Status(t.Context(), &nodev1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return rsp
}

func TestStatus(t *testing.T) {
	h := newHost(t, func(*Config) {})
	s, err := h.NewService("worker", h.cfg.Service(), func(server.Server) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	s.Status(func() Load { return Load{Slots: 3, InFlight: 2, Waiting: 1} })
	leads := make(chan leader.Term, 1)
	s.Go("sweeping", func(ctx context.Context) error {
		return h.Elector("worker").Lead(ctx, "sweep", func(ctx context.Context, term leader.Term) error {
			leads <- term
			<-ctx.Done()
			return nil
		})
	})
	began, let := make(chan struct{}), make(chan struct{})
	g, err := h.NewHTTPService("gateway", HTTPConfig{Listen: "127.0.0.1:0"}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-let
	}))
	if err != nil {
		t.Fatal(err)
	}
	leave, ended := run(t, s)
	leaveGateway, gatewayEnded := run(t, g)

	term := <-leads
	got := askStatus(t, h, s.Addr(), "grpc")
	if got.GetService() != "worker" || got.GetId() != "worker-"+h.ID || got.GetVersion() != h.Version || !got.GetReady() ||
		got.GetSlots() != 3 || got.GetInFlight() != 2 || got.GetWaiting() != 1 ||
		time.Since(got.GetStartTime().AsTime()).Abs() > time.Minute || got.GetHeartbeatAge() == nil || got.GetHeartbeatAge().AsDuration() > 20*time.Second {
		t.Errorf("the worker tells %v", got)
	}
	if l := got.GetLeads(); len(l) != 1 || l[0].GetDuty() != "sweep" || l[0].GetFence() != term.Fence || !l[0].GetSinceTime().AsTime().Equal(term.Since) {
		t.Errorf("it leads %v", l)
	}

	slow := make(chan error, 1)
	go func() {
		rsp, err := http.Get("http://" + g.Addr() + "/slow")
		if err == nil {
			err = rsp.Body.Close()
		}
		slow <- err
	}()
	<-began
	got = askStatus(t, h, g.Addr(), "http")
	if got.GetId() != "gateway-"+h.ID || got.GetInFlight() != 1 || got.GetSlots() != 0 || len(got.GetLeads()) != 0 || got.GetHeartbeatAge() == nil {
		t.Errorf("the gateway tells %v", got)
	}
	close(let)
	leave()
	leaveGateway()
	if err := errors.Join(<-slow, <-ended, <-gatewayEnded); err != nil {
		t.Error(err)
	}
}
