package cluster

import (
	"math"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"calotype/kit/registry/follow"
)

// Node is one node and the connection to it. It outlives its place in the list until its last call has ended.
type Node struct {
	Registry *registry.Node
	Conn     *grpc.ClientConn

	cluster  *Cluster
	hash     uint64
	place    follow.Place
	calls    *atomic.Uint64 // of all nodes of its datacenter; nil where there is but one
	up       atomic.Bool    // the connection stands
	down     atomic.Bool    // the last attempt to connect failed
	known    atomic.Bool    // it is known whether it can be reached
	retired  atomic.Bool
	closed   atomic.Bool
	inFlight atomic.Int64
	latency  ewma
	ejection
	respite
	pulse
}

func (c *Cluster) dial(rn *registry.Node) (*Node, error) {
	n := &Node{Registry: rn, cluster: c, hash: hashOf(rn.Id), place: follow.PlaceOf(rn)}
	n.calls = c.counted(n.place.Datacenter)
	n.min, n.max = c.cfg.EjectMin, c.cfg.EjectMax
	n.wake, n.gone = make(chan struct{}, 1), make(chan struct{})
	var dial []grpc.DialOption // before what Dial says, so that it wins
	if c.cfg.DialNode != nil {
		dial = c.cfg.DialNode(rn)
	}
	if c.cfg.Dialer != nil {
		dial = append(dial, grpc.WithContextDialer(n.dialTo))
	}
	dial = append(dial, c.cfg.Dial...)
	var err error
	if n.Conn, err = grpc.NewClient("passthrough:///"+rn.Address, dial...); err != nil {
		return nil, err
	}
	c.work.Go(n.attend)
	c.work.Go(n.listen)
	return n, nil
}

// attend keeps the connection open and knows its state, so that no call has to find out. grpc-go spaces the attempts.
func (n *Node) attend() {
	for {
		state := n.Conn.GetState()
		switch state {
		case connectivity.Ready:
			n.up.Store(true)
			n.down.Store(false)
			n.known.Store(true)
		case connectivity.TransientFailure:
			n.up.Store(false)
			n.down.Store(true)
			n.known.Store(true)
		case connectivity.Idle:
			n.up.Store(false)
			n.Conn.Connect()
		case connectivity.Shutdown:
			n.up.Store(false)
			n.down.Store(true)
			return
		default:
			n.up.Store(false)
		}
		n.cluster.bump()
		if !n.Conn.WaitForStateChange(n.cluster.ctx, state) {
			return
		}
	}
}

// Begin counts a call in. It is false for a node that has left meanwhile.
func (n *Node) Begin() bool {
	n.inFlight.Add(1)
	n.stir()
	if n.retired.Load() {
		n.End()
		return false
	}
	if n.calls != nil {
		n.calls.Add(1)
	}
	return true
}

// End counts a call out.
func (n *Node) End() {
	if n.inFlight.Add(-1) == 0 && n.retired.Load() {
		_ = n.close()
	}
}

// InFlight is the number of calls running.
func (n *Node) InFlight() int64 { return n.inFlight.Load() }

// Up reports whether the connection stands.
func (n *Node) Up() bool { return n.up.Load() }

// Observe tells of a call that began at one moment of Clock and was answered at another.
func (n *Node) Observe(began, ended int64) { n.latency.observe(ended-began, ended) }

// ObserveAtLeast tells of a call that was waited for in vain.
func (n *Node) ObserveAtLeast(began, ended int64) {
	if float64(ended-began) > n.latency.value(ended) {
		n.latency.observe(ended-began, ended)
	}
}

// retire lets running calls end before the connection goes.
func (n *Node) retire() {
	n.retired.Store(true)
	if n.inFlight.Load() == 0 {
		_ = n.close()
	}
}

func (n *Node) close() error {
	if n.closed.Swap(true) {
		return nil
	}
	close(n.gone)
	return n.Conn.Close()
}

// lighter gives the node with less to do, by what a call would wait for, were it queued behind those that run. Latencies count only
// where one is clearly the longer: else what little a lone caller's calls differ by would keep it on one of two equal nodes. Between
// equals the first stays, which was taken at random.
func lighter(a, b *Node, now int64) *Node {
	la, lb := a.latency.value(now), b.latency.value(now)
	if la < clearly*lb && lb < clearly*la {
		la, lb = 1, 1
	}
	if float64(b.inFlight.Load()+1)*lb < float64(a.inFlight.Load()+1)*la {
		return b
	}
	return a
}

const clearly = 2

// ewma is a moving average of latencies that rises quicker than it falls, and fades where nothing is observed, so that a node
// that was slow once is asked again.
type ewma struct {
	bits atomic.Uint64 // float64 of nanoseconds
	at   atomic.Int64
}

const (
	rise = 0.25
	fall = 0.1
	fade = float64(5 * time.Second)
)

// observe may lose one of two that come at the same moment, which an average can bear.
func (e *ewma) observe(took, now int64) {
	v := float64(took)
	if old := math.Float64frombits(e.bits.Load()); old > v {
		v = old + (v-old)*fall
	} else if old > 0 {
		v = old + (v-old)*rise
	}
	e.bits.Store(math.Float64bits(v))
	e.at.Store(now)
}

func (e *ewma) forget() { e.bits.Store(0) }

// value is at least half a millisecond, so that noise between quick nodes does not outweigh what is running on them.
func (e *ewma) value(now int64) float64 {
	v := math.Float64frombits(e.bits.Load())
	if idle := now - e.at.Load(); idle > int64(time.Second) {
		v *= math.Exp(-float64(idle) / fade)
	}
	return max(v, float64(500*time.Microsecond))
}
