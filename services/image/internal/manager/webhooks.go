package manager

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/kit/logging"
	"calotype/services/image/internal/job"
)

const (
	webhookBatch = 100         // notices claimed at once
	webhookPoll  = time.Second // how soon notices are found that came due or that another manager left behind
	webhookSlack = 10 * time.Second
	longestAfter = 24 * time.Hour // the longest a receiver's Retry-After is waited for
)

// Sender brings a notice to its receiver, once, and gives what it said. Concurrent calls are fine.
//
// Errors: fault.NotFound when the receiver wants no more; the context's own when it was cancelled; any other means that it was not
// taken now, with RetryAfter where the receiver said when to come again. Their messages are shown to callers.
type Sender interface {
	Send(ctx context.Context, w job.Webhook) (answer string, err error)
}

// WebhookParts is what sending notices needs.
type WebhookParts struct {
	Store   job.Webhooks
	Sender  Sender
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil counts nothing
	Now     func() time.Time      // nil means the clock
}

// Webhooks sends the notices of jobs' ends: each at least once, under one identifier, until it is taken or given up. Several may run on
// one store.
type Webhooks struct {
	store   job.Webhooks
	sender  Sender
	cfg     WebhookConfig
	now     func() time.Time
	log     *slog.Logger
	metrics *webhookMetrics
	wake    chan struct{}
}

// NewWebhooks joins the parts. It starts nothing.
func NewWebhooks(cfg WebhookConfig, p WebhookParts) *Webhooks {
	if p.Now == nil {
		p.Now = time.Now
	}
	return &Webhooks{store: p.Store, sender: p.Sender, cfg: cfg, log: p.Log, metrics: newWebhookMetrics(p.Metrics), wake: make(chan struct{}, 1),
		now: func() time.Time { return p.Now().UTC().Truncate(time.Microsecond) }}
}

// Wake tells that there is a notice to send. It never waits.
func (u *Webhooks) Wake() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Run sends notices until ctx ends, and then ends what it began, no longer than work lasts. What it does not end is sent again by
// whoever claims it next.
func (u *Webhooks) Run(ctx, work context.Context) error {
	to := newReceivers(u.cfg)
	type step struct {
		claimed
		took  time.Duration
		ended bool
	}
	steps := make(chan step, 2*u.cfg.Concurrency) // each attempt makes two, and waits for nobody
	poll := time.NewTicker(webhookPoll)
	defer poll.Stop()
	look, full, away := true, false, false
	for {
		if look {
			var err error
			if full, err = u.claim(ctx, to); err != nil && ctx.Err() == nil && !away {
				u.log.WarnContext(ctx, "the job store gives no webhooks; they wait there", "error", err)
			}
			away = err != nil
		}
		begin, back := to.next(time.Now())
		for _, c := range begin {
			go func() {
				u.attempt(work, c, func(took time.Duration) { steps <- step{claimed: c, took: took} })
				steps <- step{claimed: c, ended: true}
			}()
		}
		u.handBack(ctx, back)
		if look = full && to.room() > 0 && ctx.Err() == nil; look {
			continue
		}
		var crowded <-chan time.Time
		if to.room() == 0 {
			crowded = time.After(webhookPoll / 10)
		}
		// While there is more in the store than there is room for, each end of an attempt is reason to look for it.
		select {
		case s := <-steps:
			if s.ended {
				to.done(s.claimed)
			} else {
				to.sent(s.claimed, s.took)
			}
			look = full
		case <-u.wake:
			look = true
		case <-poll.C:
			look = true
		case <-crowded: // somebody may have lost patience
		case <-ctx.Done():
			u.handBack(work, to.leave())
			for to.running > 0 {
				if s := <-steps; s.ended {
					to.done(s.claimed)
				}
			}
			return nil
		}
	}
}

// claim takes notices that are due, as many as there is room for, and tells whether there may be more.
func (u *Webhooks) claim(ctx context.Context, to *receivers) (full bool, _ error) {
	limit := min(to.room(), webhookBatch)
	if limit == 0 {
		return true, nil
	}
	now, lease := u.now(), patience+u.cfg.Timeout+webhookSlack
	until := time.Now().Add(lease)
	due, err := u.store.Claim(ctx, now, now.Add(lease), limit)
	for _, w := range due {
		to.offer(claimed{w, until})
	}
	return len(due) == limit, err
}

// attempt sends a notice once, tells how long that took, and notes what came of it.
func (u *Webhooks) attempt(work context.Context, c claimed, sent func(time.Duration)) {
	work = logging.WithJob(work, string(c.Job))
	ctx, cancel := context.WithTimeout(work, u.cfg.Timeout)
	defer cancel()
	began := time.Now()
	answer, err := u.sender.Send(ctx, c.Webhook)
	took := time.Since(began)
	sent(took)
	u.metrics.took(took)
	if err != nil && work.Err() != nil {
		u.log.InfoContext(work, "a webhook was left when the node was; it is sent again", "webhook", string(c.ID))
		return
	}
	o := u.outcome(c.Webhook, answer, err)
	if !u.settle(work, c, o) {
		return
	}
	log := u.log.With("webhook", string(c.ID), "host", hostOf(c.URL), "attempt", c.Attempts+1, "answer", o.Answer)
	switch o.State {
	case job.WebhookDelivered:
		u.metrics.count("delivered")
		log.InfoContext(work, "a webhook was delivered")
	case job.WebhookFailed:
		u.metrics.count("failed")
		log.WarnContext(work, "a webhook was given up", "error", err)
	default:
		u.metrics.count("retried")
		log.InfoContext(work, "a webhook was not taken; it is sent again", "due", o.Due, "error", err)
	}
}

// outcome decides what an attempt came to.
func (u *Webhooks) outcome(w job.Webhook, answer string, err error) job.WebhookOutcome {
	o := job.WebhookOutcome{State: job.WebhookDelivered, Answer: answer, Time: u.now()}
	if o.Due = o.Time; err == nil {
		return o
	}
	var after time.Duration
	o.Answer = "it could not be sent"
	if f := fault.As(err); f != nil {
		o.Answer, after = f.Message, min(f.RetryAfter, longestAfter)
	}
	if fault.Is(err, fault.NotFound) || w.Attempts >= len(u.cfg.Retries) {
		o.State = job.WebhookFailed
		return o
	}
	pause := u.cfg.Retries[w.Attempts]
	o.State, o.Due = job.WebhookPending, o.Time.Add(max(after, spread(pause))).Truncate(time.Microsecond)
	return o
}

// spread moves a pause by up to a tenth, so that notices that failed together do not come back together.
func spread(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

// handBack gives notices back to the store as they were. Where it does not take them, they come due when their claim runs out.
func (u *Webhooks) handBack(ctx context.Context, back []returned) {
	var all errgroup.Group
	all.SetLimit(webhookBatch)
	for _, c := range back {
		all.Go(func() error {
			now := u.now()
			return u.store.Settle(ctx, c.ID, c.Attempts, job.WebhookOutcome{State: job.WebhookPending, Unsent: true, Due: now.Add(c.away), Time: now})
		})
	}
	if err := all.Wait(); err != nil && ctx.Err() == nil {
		u.log.DebugContext(ctx, "webhooks could not be handed back; they come due by themselves", "error", err)
	}
}

// settle notes an outcome, and waits for a store that does not answer: what was delivered is better not sent again.
func (u *Webhooks) settle(work context.Context, c claimed, o job.WebhookOutcome) bool {
	for failures := 1; ; failures++ {
		err := u.store.Settle(work, c.ID, c.Attempts, o)
		if err == nil {
			return true
		}
		if failures == 1 {
			u.log.WarnContext(work, "the job store does not take what came of a webhook; it is tried again", "webhook", string(c.ID), "answer", o.Answer, "error", err)
		}
		if failures >= againLimit && fault.Is(err, fault.Internal) || !pause(work, backoff(failures, againFirst, againMost)) {
			u.log.ErrorContext(work, "what came of a webhook could not be noted; it is sent again", "webhook", string(c.ID), "answer", o.Answer, "error", err)
			return false
		}
	}
}
