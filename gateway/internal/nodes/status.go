package nodes

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	nodev1 "calotype/proto/node/v1"
)

// The states of a node.
const (
	Ready    = "ready"
	NotReady = "not_ready" // it begins, or leaves, or something that it needs is away
	Silent   = "silent"    // it does not answer
	Unknown  = "unknown"   // it does not tell
)

// Status is what a node tells of itself.
type Status struct {
	Commit       string    `json:"commit,omitempty"`
	StartTime    time.Time `json:"start_time"`
	HeartbeatAge string    `json:"heartbeat_age,omitempty"` // since the registry last took it; missing: it never did
	Slots        int32     `json:"slots,omitempty"`
	InFlight     int32     `json:"in_flight"`
	Waiting      int32     `json:"waiting"`
	Leads        []Term    `json:"leads,omitempty"`
}

// Term is a duty that a node leads.
type Term struct {
	Duty  string    `json:"duty"`
	Fence int64     `json:"fence"`
	Since time.Time `json:"since_time"`
}

// Dial connects to the node at an address, with the protocol that it registered.
type Dial func(address, protocol string) (*grpc.ClientConn, error)

// asker asks nodes, and remembers when they last answered. It keeps a connection to each that is asked from time to time.
type asker struct {
	dial    Dial
	timeout time.Duration

	mu     sync.Mutex
	peers  map[endpoint]*peer
	closed bool
}

type endpoint struct{ id, address, protocol string }

type peer struct {
	conn *grpc.ClientConn
	last time.Time // of its answers; under asker.mu
}

var errClosed = errors.New("nodes: closed")

func (a *asker) peer(e endpoint) (*peer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errClosed
	}
	if p := a.peers[e]; p != nil {
		return p, nil
	}
	conn, err := a.dial(e.address, e.protocol)
	if err != nil {
		return nil, err
	}
	p := &peer{conn: conn}
	a.peers[e] = p
	return p, nil
}

// keep lets go of all nodes but those named: they are not registered any more.
func (a *asker) keep(nodes []Node) {
	there := map[endpoint]bool{}
	for i := range nodes {
		there[nodes[i].endpoint()] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for e, p := range a.peers {
		if !there[e] {
			_ = p.conn.Close()
			delete(a.peers, e)
		}
	}
}

func (a *asker) close() {
	a.keep(nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}

// ask fills in what the node tells. An address where another node answers than the one registered counts as silent.
func (a *asker) ask(ctx context.Context, n *Node) {
	n.State = Silent
	p, err := a.peer(n.endpoint())
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	rsp, err := nodev1.NewNodesClient(p.conn).Status(ctx, &nodev1.StatusRequest{}, grpc.WaitForReady(true))
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case status.Code(err) == codes.Unimplemented:
		n.State = Unknown
		return
	case err != nil || rsp.GetId() != n.ID:
		if !p.last.IsZero() {
			n.LastAnswerAge = age(now.Sub(p.last))
		}
		return
	}
	p.last = now
	n.State = NotReady
	if rsp.GetReady() {
		n.State = Ready
	}
	n.Status = told(rsp)
}

func told(r *nodev1.StatusResponse) *Status {
	s := &Status{
		Commit: r.GetCommit(), StartTime: r.GetStartTime().AsTime(), Slots: r.GetSlots(), InFlight: r.GetInFlight(), Waiting: r.GetWaiting(),
	}
	if r.GetHeartbeatAge() != nil {
		s.HeartbeatAge = age(r.GetHeartbeatAge().AsDuration())
	}
	for _, t := range r.GetLeads() {
		s.Leads = append(s.Leads, Term{t.GetDuty(), t.GetFence(), t.GetSinceTime().AsTime()})
	}
	return s
}

// age is in seconds, as the proto mapping has durations.
func age(d time.Duration) string {
	return strconv.FormatFloat(float64(max(d, 0).Milliseconds())/1000, 'f', -1, 64) + "s"
}
