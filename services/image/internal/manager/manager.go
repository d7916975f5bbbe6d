// Package manager is what the image manager does: it registers originals, accepts, follows and ends jobs, and sees that no accepted
// job is forgotten. It knows ports and the domain; which store, queue and wire there are is not its business.
package manager

import (
	"context"
	"log/slog"
	"time"

	"github.com/opentracing/opentracing-go"

	"calotype/kit/leader"
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
	Blobs     Blobs
	Presets   recipe.Catalog
	Tracer    opentracing.Tracer
	Log       *slog.Logger
	Elector   leader.Elector
	Now       func() time.Time // nil means the clock
	// Letter writes what a webhook is told of a job's end. Nil: webhooks are off.
	Letter func(job.Job, job.Event) ([]byte, error)
	// CheckURL tells what is wrong with the URL of a webhook; "" is nothing. Nil: webhooks are off.
	CheckURL func(string) string
	// Notice hears that there is a webhook to send. It must not wait. May be nil.
	Notice func()
}

// Manager is the use cases and the work in the background, of which each has a Run.
type Manager struct {
	Images      *Images
	Jobs        *Jobs
	Batches     *Batches
	Relay       *Relay
	Reports     *Reports
	DeadLetters *DeadLetters
	Reconciler  *Reconciler
	// What one manager at a time does, by rounds; that two do it now and then does no harm.
	Scheduler *Scheduler
	Expirer   *Expirer
	Collector *Collector
	Counts    *Counts
	// Upkeep does the rounds of these and of the Reconciler, while this manager leads.
	Upkeep *Upkeep

	books   *books
	backlog *backlog
}

// New joins the parts. It starts nothing.
func New(cfg Config, p Parts) *Manager {
	if p.Now == nil {
		p.Now = time.Now
	}
	clock := func() time.Time { return p.Now().UTC().Truncate(time.Microsecond) }
	books := &books{}
	books.Store(newBook(p.Presets))
	news := &news{}
	mail := mail{tracer: p.Tracer, recipes: recipe.NewWriter()}
	counts := newCounts()
	backlog := &backlog{outbox: p.Store}
	backlog.limit.Store(int64(cfg.Backlog))
	relay := newRelay(p.Store, p.Queue, backlog, counts, p.Log)
	wishes := wishes{url: p.CheckURL, now: clock}
	desk := &desk{register: p.Store, images: p.Store, jobs: p.Store, ids: job.NewIDs(), now: clock, keep: cfg.KeepKeys, mail: mail, relay: relay, backlog: backlog, counts: counts, log: p.Log}
	if p.Notice == nil {
		p.Notice = func() {}
	}
	mover := &mover{jobs: p.Store, news: news, now: clock, letter: p.Letter, ended: p.Notice, counts: counts, log: p.Log}
	overlays := overlays{images: p.Store, blobs: p.Blobs}
	jobs := &Jobs{desk: desk, overlays: overlays, store: p.Store, images: &recent{images: p.Store, now: clock}, book: books, wishes: wishes, mover: mover, news: news, mail: mail, relay: relay, poll: cfg.WatchPoll}
	m := &Manager{
		Images:      &Images{desk: desk, overlays: overlays, store: p.Store, jobs: p.Store, inspector: p.Inspector, blobs: p.Blobs, book: books, wishes: wishes, news: news},
		Jobs:        jobs,
		Batches:     &Batches{desk: desk, overlays: overlays, store: p.Store, jobs: jobs, images: p.Store, book: books, wishes: wishes, poll: cfg.WatchPoll},
		Relay:       relay,
		Reports:     &Reports{queue: p.Queue, mover: mover, slots: cfg.ReportSlots, blobs: p.Blobs, late: cfg.CollectGrace / 4, now: clock, tracer: p.Tracer, counts: counts, log: p.Log},
		DeadLetters: &DeadLetters{queue: p.Queue, mover: mover, tracer: p.Tracer, log: p.Log},
		Reconciler:  &Reconciler{store: p.Store, queue: p.Queue, mover: mover, mail: mail, relay: relay, cfg: cfg, now: clock, log: p.Log},
		Scheduler:   &Scheduler{store: p.Store, mover: mover, mail: mail, relay: relay, now: clock, counts: counts},
		Expirer:     &Expirer{store: p.Store, news: news, now: clock, counts: counts, log: p.Log},
		Collector:   &Collector{blobs: p.Blobs, store: p.Store, queue: p.Queue, grace: cfg.CollectGrace, now: clock, counts: counts, log: p.Log},
		Counts:      counts,
		books:       books,
		backlog:     backlog,
	}
	m.Upkeep = &Upkeep{elector: p.Elector, store: p.Store, counts: counts, log: p.Log, rounds: []round{
		{"reconcile", "lost jobs", cfg.ReconcileEvery, m.Reconciler.Round},
		{"schedule", "scheduled jobs", cfg.ScheduleEvery, m.Scheduler.Round},
		{"expire", "what has expired", cfg.ExpireEvery, m.Expirer.Round},
		{"collect", "unreferenced bytes", cfg.CollectEvery, m.Collector.Round},
	}}
	return m
}

// Change puts other presets and another limit of the backlog into force. Requests that are under way end with what they began with.
func (m *Manager) Change(presets recipe.Catalog, backlog int) {
	m.books.Store(newBook(presets))
	m.backlog.limit.Store(int64(backlog))
}

// Backlog is how many messages may wait for the queue at most.
func (m *Manager) Backlog() int { return int(m.backlog.limit.Load()) }
