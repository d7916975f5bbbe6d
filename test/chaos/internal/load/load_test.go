package load

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRateDoesNotDependOnAnswers(t *testing.T) {
	for _, fixed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			slow := func(ctx context.Context, _ int) (Outcome, string) {
				<-ctx.Done() // the longest that an answer can take
				return Good, ""
			}
			quick := func(context.Context, int) (Outcome, string) { return Good, "" }
			r := &Recorder{}
			g := &Generator{Fixed: fixed, Seed: 1, Recorder: r, Kinds: []Kind{{"slow", 20, 5 * time.Second, slow}, {"quick", 40, time.Second, quick}, {"none", 0, time.Second, quick}}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			made := g.Run(ctx)
			count := map[string]int{}
			for _, s := range r.All() {
				count[s.Kind]++
				if s.Kind == "slow" && (s.Took != 5*time.Second || s.Outcome != Good) || s.Kind == "quick" && s.Took != 0 {
					t.Fatalf("%+v", s)
				}
			}
			if made != count["slow"]+count["quick"] || len(count) != 2 {
				t.Errorf("%d were made, noted are %v", made, count)
			}
			near := func(n, want int) bool { return n > want*9/10-1 && n < want*11/10+1 }
			if !near(count["slow"], 1200) || !near(count["quick"], 2400) || fixed && (count["slow"] != 1200 || count["quick"] != 2400) {
				t.Errorf("fixed %v: in a minute, 20 and 40 a second were %v", fixed, count)
			}
		})
	}
}

func TestLateAnswersAndFullGenerators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := func(context.Context, int) (Outcome, string) {
			timer := time.NewTimer(3 * time.Second)
			<-timer.C
			return Good, ""
		}
		r := &Recorder{}
		g := &Generator{Fixed: true, Recorder: r, AtOnce: 2, Kinds: []Kind{{"deaf", 1, 2 * time.Second, deaf}}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		g.Run(ctx)
		late, unsent := 0, 0
		for _, s := range r.All() {
			switch {
			case s.Outcome == Failed && s.Took == 3*time.Second:
				late++
			case s.Outcome == Failed && s.Took == 0:
				unsent++
			default:
				t.Errorf("%+v", s)
			}
		}
		if late == 0 || unsent == 0 || late+unsent != 10 {
			t.Errorf("%d were late, %d were not sent", late, unsent)
		}
	})
}

func TestMomentsRepeatWithTheSeed(t *testing.T) {
	moments := func(seed uint64) (all []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var n atomic.Int64
			pace(ctx, 5, false, rand.New(rand.NewPCG(seed, 0)), func(_ int, due time.Time) {
				n.Add(1)
				all = append(all, due.Sub(began))
			})
		})
		return all
	}
	a, b, other := moments(1), moments(1), moments(2)
	if len(a) != len(b) || len(a) < 20 {
		t.Fatalf("%d and %d", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("the moment %d is %v and %v", i, a[i], b[i])
		}
	}
	if a[0] == other[0] {
		t.Error("another seed gives the same")
	}
}
