// Package load asks at a rate that does not depend on the answers (an open loop), as many people do who know nothing of each other, and
// notes what each got. Nothing is asked twice. It does not know what is asked, nor what is broken meanwhile.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Outcome is how a request ended.
type Outcome int

const (
	// Good is the right answer, in time.
	Good Outcome = iota
	// Refused is a 503 that says when to come back: right while what is needed is wholly away, and a failure otherwise.
	Refused
	// Failed is anything else: no answer, a wrong one, or one that came too late.
	Failed
)

// Sample is one request. Took counts from the moment it was due, so that a generator that is held up hides nothing.
type Sample struct {
	Kind    string
	Behind  bool // it is what was begun by a request that is long answered: a job
	Due     time.Time
	Took    time.Duration
	Outcome Outcome
	Note    string // what was wrong, and the ids that lead to the logs
}

// End is when the answer was there.
func (s Sample) End() time.Time { return s.Due.Add(s.Took) }

// Kind is one sort of request.
type Kind struct {
	Name      string
	PerSecond float64
	Deadline  time.Duration // longer than this is a failure
	// Ask makes the request number n and judges its answer. It is called by many at once.
	Ask func(ctx context.Context, n int) (Outcome, string)
}

// Recorder keeps samples. Its zero value is ready.
type Recorder struct {
	mu      sync.Mutex
	samples []Sample
}

// Add keeps a sample.
func (r *Recorder) Add(s Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
}

// Since are the samples that ended after a moment.
func (r *Recorder) Since(at time.Time) (found []Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.samples {
		if s.End().After(at) {
			found = append(found, s)
		}
	}
	return found
}

// All are the samples so far.
func (r *Recorder) All() []Sample { return r.Since(time.Time{}) }

// Generator asks for all kinds at once until its context ends.
type Generator struct {
	Kinds    []Kind
	Fixed    bool // at even beats, and not at random moments (Poisson)
	Seed     uint64
	Recorder *Recorder
	// AtOnce is how many requests may be out; one more is a failure, told as such. 0 means 2000.
	AtOnce int64
}

// Run asks until ctx ends, waits for the last answers, and tells how many requests were made.
func (g *Generator) Run(ctx context.Context) int {
	var kinds, requests sync.WaitGroup
	var out, made atomic.Int64
	most := g.AtOnce
	if most == 0 {
		most = 2000
	}
	for i, k := range g.Kinds {
		kinds.Go(func() {
			random := rand.New(rand.NewPCG(g.Seed, uint64(i)))
			pace(ctx, k.PerSecond, g.Fixed, random, func(n int, due time.Time) {
				made.Add(1)
				if out.Add(1) > most {
					out.Add(-1)
					g.Recorder.Add(Sample{Kind: k.Name, Due: due, Outcome: Failed, Note: fmt.Sprintf("not sent: %d requests are out", most)})
					return
				}
				requests.Go(func() {
					defer out.Add(-1)
					g.Recorder.Add(ask(k, n, due))
				})
			})
		})
	}
	kinds.Wait()
	requests.Wait()
	return int(made.Load())
}

// ask outlives the run's context: an answer is waited for as long as its deadline says.
func ask(k Kind, n int, due time.Time) Sample {
	ctx, cancel := context.WithDeadline(context.Background(), due.Add(k.Deadline))
	defer cancel()
	s := Sample{Kind: k.Name, Due: due}
	s.Outcome, s.Note = k.Ask(ctx, n)
	if s.Took = time.Since(due); s.Took > k.Deadline && s.Outcome == Good {
		s.Outcome, s.Note = Failed, fmt.Sprintf("a good answer, but after %v", s.Took.Round(time.Millisecond))
	}
	return s
}

// pace calls at its moments until ctx ends. A moment that has passed is made up for at once.
func pace(ctx context.Context, perSecond float64, fixed bool, random *rand.Rand, call func(n int, due time.Time)) {
	if perSecond <= 0 {
		return
	}
	mean := float64(time.Second) / perSecond
	due := time.Now().Add(time.Duration(random.Float64() * mean))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		call(n, due)
		gap := mean
		if !fixed {
			gap *= random.ExpFloat64()
		}
		due = due.Add(time.Duration(gap))
		timer.Reset(time.Until(due))
	}
}
