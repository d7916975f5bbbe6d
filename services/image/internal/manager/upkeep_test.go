package manager

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"calotype/kit/fault"
)

// fences refuses as often as it is told.
type fences struct {
	refuse int
	seen   []int64
}

func (f *fences) Lead(_ context.Context, duty string, fence int64) error {
	if f.seen = append(f.seen, fence); len(f.seen) <= f.refuse {
		return fault.New(fault.Conflict, "FENCED", "somebody else leads %q now", duty)
	}
	return nil
}

// A round that failed, or that the store forbade, is done soon again, however far its next turn is; the others keep their times.
func TestRoundsThatFailAreDoneSoonAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fences{refuse: 2}
		u := &Upkeep{store: store, counts: newCounts(), log: slog.New(slog.DiscardHandler)}
		begin := time.Now()
		var rounds []time.Duration
		ctx, end := context.WithTimeout(t.Context(), 3*time.Hour+time.Minute)
		defer end()
		u.repeat(ctx, 7, round{name: "collect", what: "a test", every: time.Hour, do: func(context.Context) error {
			if rounds = append(rounds, time.Since(begin)); len(rounds) == 1 {
				return errors.New("storage is away")
			}
			return nil
		}})
		want := []time.Duration{2 * upkeepPause, 3 * upkeepPause, time.Hour + 3*upkeepPause, 2*time.Hour + 3*upkeepPause, 3*time.Hour + 3*upkeepPause}
		if len(rounds) != len(want) || len(store.seen) != len(want)+2 {
			t.Fatalf("rounds at %v, want %v; %d looks at the fence", rounds, want, len(store.seen))
		}
		for i := range want {
			if rounds[i] != want[i] {
				t.Errorf("round %d was after %v, want %v", i, rounds[i], want[i])
			}
		}
	})
}
