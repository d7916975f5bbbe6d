package manager

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"calotype/kit/leader"
)

// upkeepDuty is what managers elect a leader for.
const upkeepDuty = "upkeep"

// upkeepPause is how soon a round is tried again that failed, though its turn is far.
const upkeepPause = 10 * time.Second

// Fenced remembers who leads.
type Fenced interface {
	Lead(ctx context.Context, duty string, fence int64) error
}

// Upkeep does what one manager at a time is to do: queue lost jobs again, release scheduled ones, expire, collect. Each of these does no
// harm when two do it at once; that there is a leader saves the work of all but one.
type Upkeep struct {
	elector leader.Elector
	store   Fenced
	rounds  []round
	counts  *Counts
	log     *slog.Logger
}

// round is a look through everything, done now and then.
type round struct {
	name  string // in metrics
	what  string // for people
	every time.Duration
	do    func(context.Context) error
}

// Run stands for election until ctx ends, and does the rounds while it leads.
func (u *Upkeep) Run(ctx context.Context) error {
	return u.elector.Lead(ctx, upkeepDuty, func(ctx context.Context, term leader.Term) error {
		var wg sync.WaitGroup
		defer wg.Wait()
		for _, r := range u.rounds {
			wg.Go(func() { u.repeat(ctx, term.Fence, r) })
		}
		return nil
	})
}

// repeat does a round at its intervals. Before each it notes its fence in the store: one that was replaced while it was frozen learns
// there that it leads no more.
func (u *Upkeep) repeat(ctx context.Context, fence int64, r round) {
	for {
		wait := r.every
		err := u.store.Lead(ctx, upkeepDuty, fence)
		if err == nil {
			err = r.do(ctx)
		}
		if ctx.Err() == nil {
			u.counts.upkeep(r.name, err)
		}
		if err != nil && ctx.Err() == nil {
			u.log.ErrorContext(ctx, "upkeep could not be done; it is tried again", "what", r.what, "error", err)
			wait = min(wait, upkeepPause)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}
