package boot

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/leader"
	nodev1 "calotype/proto/node/v1"
)

// Load is how much a service has to do.
type Load struct {
	Slots    int // how much it works on at once at most
	InFlight int
	Waiting  int // for a slot
}

// Status has a service with slots tell of them; others tell how many calls they handle. Call it before Run.
func (s *Service) Status(load func() Load) { s.load = load }

// Elector is the process's elector for one of its services, which then tells in its status what it leads. The service need not
// exist yet.
func (h *Host) Elector(service string) leader.Elector { return elector{h.Leader, h, service} }

type elector struct {
	leader.Elector
	host    *Host
	service string
}

func (e elector) Lead(ctx context.Context, duty string, work leader.Work) error {
	e.host.mu.Lock()
	e.host.duties[duty] = e.service
	e.host.mu.Unlock()
	return e.Elector.Lead(ctx, duty, work)
}

// leads gives a service's terms; what nobody has claimed is its who gave the process the name.
func (h *Host) leads(service string) []*nodev1.Term {
	var out []*nodev1.Term
	for _, t := range h.Leader.Terms() {
		h.mu.Lock()
		whose, claimed := h.duties[t.Duty]
		h.mu.Unlock()
		if whose == service || !claimed && service == h.Name {
			out = append(out, &nodev1.Term{Duty: t.Duty, Fence: t.Fence, SinceTime: timestamppb.New(t.Since)})
		}
	}
	return out
}

// nodes answers node.v1, which is about nodes and no service's own.
type nodes struct {
	nodev1.UnimplementedNodesServer
	service *Service
}

func (n *nodes) Status(context.Context, *nodev1.StatusRequest) (*nodev1.StatusResponse, error) {
	s := n.service
	load := Load{InFlight: s.srv.Running()}
	if s.load != nil {
		load = s.load()
	}
	out := &nodev1.StatusResponse{
		Service: s.name, Id: s.name + "-" + s.host.ID, Version: s.host.Version, Commit: s.host.Commit,
		StartTime: timestamppb.New(s.host.started), Ready: s.gate.Ready(),
		Slots: count(load.Slots), InFlight: count(load.InFlight), Waiting: count(load.Waiting), Leads: s.host.leads(s.name),
	}
	if heard := s.srv.Heard(); !heard.IsZero() {
		out.HeartbeatAge = durationpb.New(time.Since(heard))
	}
	return out, nil
}

func count(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

// Dial connects to one node, of the address and the protocol (grpc, http or https) that the registry tells, for what is asked of that
// node and no other. Calls to services go by Client. The connection is made with the first call.
func (h *Host) Dial(address, protocol string) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	switch {
	case protocol == "grpc" && h.tls != nil:
		creds = credentials.NewTLS(h.tls)
	case protocol == "https":
		name, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dialling a node: %w", err)
		}
		creds = credentials.NewTLS(&tls.Config{ServerName: name, MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: time.Second,
		}),
		grpc.WithIdleTimeout(time.Minute), grpc.WithDisableServiceConfig(), grpc.WithUserAgent("calotype/"+h.Version))
	if err != nil {
		return nil, fmt.Errorf("dialling a node: %w", err)
	}
	return conn, nil
}
