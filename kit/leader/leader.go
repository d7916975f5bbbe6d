// Package leader lets one process of many do what only one may do at a time. A leader shows by heartbeats that it lives; where they
// stop, another takes over within the TTL. A clock's steps do not matter, only that clocks run equally fast.
//
// No election can stop a process that was frozen, or that sits in a system call, in the middle of its work: it may go on for a moment
// after it woke up, while another leads already. So every term has a fencing number, higher than that of any term before, and a
// store that is written to under a term must refuse a number lower than the highest it has seen.
package leader

import (
	"context"
	"log/slog"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/fault"
	"calotype/kit/registry"
)

// Term is the time from when a node begins to lead a duty until it ceases to.
type Term struct {
	Duty  string
	Node  string
	Fence int64 // strictly greater for every later term of the duty, whoever has it
	Since time.Time
}

// Holder is who leads.
type Holder struct {
	Node      string
	Fence     int64
	Since     time.Time
	Heartbeat time.Time // the last, by the leader's clock
}

// Work is what a leader does. It must end when its context does, which is before anybody else can lead.
type Work func(ctx context.Context, term Term) error

// Elector elects the leader of each duty among the processes of one service. It is safe for concurrent use.
type Elector interface {
	// Lead runs work whenever this process leads the duty, again and again until ctx ends, and then hands the duty over and returns
	// nil. Work that returns by itself ends its term: another process may lead before it runs here again. Its errors and panics are
	// logged, and those of what keeps the votes too: Lead itself fails only for a duty whose name is no name.
	Lead(ctx context.Context, duty string, work Work) error
	// Leader tells who leads a duty, as far as can be known. Fails with fault.NotFound when nobody does.
	Leader(ctx context.Context, duty string) (Holder, error)
	// Terms are those that this process has at this moment, ordered by duty.
	Terms() []Term
}

// Process is who stands for election.
type Process struct {
	Service string // its processes elect one another
	Node    string // unique among them, in time too
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// New makes an elector. It asks nobody: a Consul or an etcd that is away now may come. An elector that is an io.Closer is closed when nobody leads by it any more.
func New(cfg Config, r registry.Config, p Process) (Elector, error) {
	if fs := cfg.Validate(); len(fs) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the configuration of the election is wrong", Fields: fs}
	}
	o := newOffice(p, cfg)
	switch cfg.kind(r) {
	case Local:
		return newLocal(o), nil
	case Etcd:
		etcd, err := registry.Etcds(r)
		if err != nil {
			return nil, err
		}
		return &elector{office: o, cfg: cfg, close: etcd.Close, cell: func(duty string) cell {
			return &etcdCell{etcd: etcd, key: cfg.Prefix + "/" + p.Service + "/" + duty, ttl: max(cfg.TTL, shortestSession)}
		}}, nil
	}
	agents, err := registry.Agents(r)
	if err != nil {
		return nil, err
	}
	return &elector{office: o, cfg: cfg, cell: func(duty string) cell {
		return &consulCell{api: agents, key: cfg.Prefix + "/" + p.Service + "/" + duty, name: p.Service + "-" + p.Node, ttl: max(cfg.TTL, shortestSession)}
	}}, nil
}

var name = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

func validDuty(duty string) error {
	if !name.MatchString(duty) {
		return fault.New(fault.Invalid, "BAD_DUTY", "%q is no name of a duty: it takes a to z, 0 to 9, dot, dash and underscore", duty)
	}
	return nil
}

func nobody(duty string) error {
	return fault.New(fault.NotFound, "NOBODY_LEADS", "nobody leads %s", duty)
}
