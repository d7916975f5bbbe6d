package bench

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	jobTurns  = 5
	jobsPause = 20 * time.Millisecond // between looks whether all has ended
)

// contender is one way of bringing jobs through. Its jobs make nothing: what is measured is the machinery alone.
type contender struct {
	name string
	// post accepts one job; it is called by many at once. What it returns is as durable as this way makes it.
	post func(context.Context) error
	// drained returns when so many jobs have ended, all that were posted since the contender began.
	drained func(ctx context.Context, posted int64) error
	uses    []*backend
	posters int   // at once
	batch   int64 // jobs of one post
	posted  *atomic.Int64
}

// tally counts what has ended. One at a time may wait for it.
type tally struct {
	n    atomic.Int64
	more chan struct{}
}

func newTally() *tally { return &tally{more: make(chan struct{}, 1)} }

func (t *tally) add() {
	t.n.Add(1)
	select {
	case t.more <- struct{}{}:
	default:
	}
}

func (t *tally) reach(ctx context.Context, n int64) error {
	for t.n.Load() < n {
		select {
		case <-t.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// lap is one turn of a contender.
type lap struct {
	rate, accepted, own float64            // jobs/s from the first post to the last end; jobs/s that were accepted; processor time of this process a job, µs
	servers             map[string]float64 // processor time a job, µs
}

// work posts for a while and waits for all of it to end.
func (c *contender) work(tb testing.TB, length time.Duration) lap {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	before, own, n := map[string]time.Duration{}, used(), c.posted.Load()
	for _, s := range c.uses {
		before[s.name] = s.used(tb)
	}
	began := time.Now()
	var wait sync.WaitGroup
	for range c.posters {
		wait.Go(func() {
			for time.Since(began) < length {
				if err := c.post(ctx); err != nil {
					tb.Errorf("%s: %v", c.name, err)
					return
				}
				c.posted.Add(c.batch)
			}
		})
	}
	wait.Wait()
	accepted := time.Since(began)
	if err := c.drained(ctx, c.posted.Load()); err != nil {
		tb.Fatalf("%s: %v", c.name, err)
	}
	took, jobs := time.Since(began), float64(c.posted.Load()-n)
	l := lap{rate: jobs / took.Seconds(), accepted: jobs / accepted.Seconds(), own: each(used()-own, jobs), servers: map[string]float64{}}
	for _, s := range c.uses {
		l.servers[s.name] = each(s.used(tb)-before[s.name], jobs)
	}
	return l
}

func each(d time.Duration, jobs float64) float64 { return float64(d.Microseconds()) / jobs }

// group is lines that are compared with each other.
type group struct {
	title         string
	broker, river string // what the others are told as ratios to
	names         []string
	begins        []func() *contender
	all           []*contender
	laps          map[string][]lap
}

func (g *group) add(name string, begin func() *contender) {
	g.names, g.begins = append(g.names, name), append(g.begins, begin)
}

// begin makes those that are wanted.
func (g *group) begin(wanted *regexp.Regexp) {
	for i, name := range g.names {
		if wanted.MatchString(name) {
			c := g.begins[i]()
			c.name = name
			g.all = append(g.all, c)
		}
	}
	g.laps = map[string][]lap{}
}

// pick gives a figure of each turn.
func (g *group) pick(name string, of func(lap) float64) (out []float64) {
	for _, l := range g.laps[name] {
		out = append(out, of(l))
	}
	return out
}

// compare measures in turns and prints medians, and of the ratios to the broker and to River those within each turn.
func compare(b *testing.B, groups []*group) {
	for _, g := range groups {
		for _, c := range g.all {
			c.work(b, 500*time.Millisecond) // connections, plans, windows
		}
	}
	for turn := range jobTurns {
		for _, g := range groups {
			order := slices.Clone(g.all)
			if turn%2 == 1 {
				slices.Reverse(order)
			}
			for _, c := range order {
				g.laps[c.name] = append(g.laps[c.name], c.work(b, time.Second))
			}
		}
	}
	var text strings.Builder
	for _, g := range groups {
		g.print(&text)
	}
	fmt.Print(text.String()) // of what a benchmark logs, only ten lines are shown
}

func (g *group) print(text *strings.Builder) {
	fmt.Fprintf(text, "\n%-36s %9s %9s %9s %9s  %s\n", g.title, "jobs/s", "it/broker", "it/River", "accepted", "processor time a job, µs")
	for _, c := range g.all {
		own := median(g.pick(c.name, func(l lap) float64 { return l.own }))
		cpu, sum := fmt.Sprintf("this process %.0f", own), own
		for _, s := range c.uses {
			of := median(g.pick(c.name, func(l lap) float64 { return l.servers[s.name] }))
			cpu += fmt.Sprintf(", %s %.0f", s.name, of)
			sum += of
		}
		rate := func(l lap) float64 { return l.rate }
		accepted := median(g.pick(c.name, func(l lap) float64 { return l.accepted }))
		fmt.Fprintf(text, "%-36s %9.0f %9s %9s %9.0f  %.0f: %s\n", c.name, median(g.pick(c.name, rate)),
			g.ratio(c.name, g.broker), g.ratio(c.name, g.river), accepted, sum, cpu)
	}
}

// ratio is the median of those of the turns.
func (g *group) ratio(name, to string) string {
	rate := func(l lap) float64 { return l.rate }
	ratios, others := g.pick(name, rate), g.pick(to, rate)
	if len(others) == 0 {
		return "-"
	}
	for i := range ratios {
		ratios[i] /= others[i]
	}
	return fmt.Sprintf("%.2f", median(ratios))
}
