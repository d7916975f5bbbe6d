// Package manager is what the image manager does: it registers originals, accepts, follows and ends jobs, and sees that no accepted
// job is forgotten. It knows ports and the domain; which store, queue and wire there are is not its business.
package manager

import (
	"context"
	"log/slog"
	"time"

	"github.com/opentracing/opentracing-go"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Inspector reads from its content what a stored blob is. Concurrent calls are fine; it changes nothing.
//
// Errors: fault.NotFound when there is no such blob; fault.Invalid with reason UNSUPPORTED_FORMAT, BROKEN_IMAGE or
// IMAGE_TOO_LARGE; fault.Unavailable when nobody can look at the moment.
type Inspector interface {
	Inspect(ctx context.Context, d job.Digest) (job.Picture, error)
}

// Parts is what a manager is built from.
type Parts struct {
	Store     job.Store
	Queue     job.Queue
	Inspector Inspector
	Presets   recipe.Catalog
	Tracer    opentracing.Tracer
	Log       *slog.Logger
	Now       func() time.Time // nil means the clock
}

// Manager is the use cases and the work in the background, of which each has a Run.
type Manager struct {
	Images      *Images
	Jobs        *Jobs
	Relay       *Relay
	Reports     *Reports
	DeadLetters *DeadLetters
	Reconciler  *Reconciler
}

// New joins the parts. It starts nothing.
func New(cfg Config, p Parts) *Manager {
	if p.Now == nil {
		p.Now = time.Now
	}
	clock := func() time.Time { return p.Now().UTC().Truncate(time.Microsecond) }
	book := book{presets: p.Presets}
	news := &news{}
	mail := mail{tracer: p.Tracer}
	relay := newRelay(p.Store, p.Queue, p.Log)
	desk := &desk{register: p.Store, images: p.Store, jobs: p.Store, ids: job.NewIDs(), now: clock, keep: cfg.KeepKeys, mail: mail, relay: relay}
	mover := &mover{jobs: p.Store, news: news, now: clock}
	return &Manager{
		Images:      &Images{desk: desk, store: p.Store, jobs: p.Store, inspector: p.Inspector, book: book, news: news},
		Jobs:        &Jobs{desk: desk, store: p.Store, images: p.Store, book: book, mover: mover, news: news, mail: mail, relay: relay, poll: cfg.WatchPoll},
		Relay:       relay,
		Reports:     &Reports{queue: p.Queue, mover: mover, slots: cfg.ReportSlots, tracer: p.Tracer, log: p.Log},
		DeadLetters: &DeadLetters{queue: p.Queue, mover: mover, tracer: p.Tracer, log: p.Log},
		Reconciler:  &Reconciler{store: p.Store, queue: p.Queue, mover: mover, mail: mail, relay: relay, cfg: cfg, now: clock, log: p.Log},
	}
}
