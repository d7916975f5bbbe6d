package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/test/servers"
)

const (
	posters   = 64
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
	batch   int64 // jobs of one post; 0 is 1
	posted  atomic.Int64
}

// lap is one turn of a contender.
type lap struct {
	rate, accepted, own float64            // jobs/s from the first post to the last end; posts/s; processor time of this process a job, µs
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
	for range posters {
		wait.Go(func() {
			for time.Since(began) < length {
				if err := c.post(ctx); err != nil {
					tb.Errorf("%s: %v", c.name, err)
					return
				}
				c.posted.Add(max(c.batch, 1))
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

// BenchmarkJobs brings jobs that make nothing through Calotype and through what it is compared with, in turns, on servers of this machine.
func BenchmarkJobs(b *testing.B) {
	postgres := &backend{name: "postgres"}
	database := servers.NewPostgres(b)
	postgres.pid = database.Pid
	broker := servers.NewRabbitMQ(b)
	rabbit := &backend{name: "rabbitmq", pid: broker.Pid}
	everySecond := servers.NewRedis(b, "--appendonly", "yes", "--appendfsync", "everysec")
	always := servers.NewRedis(b, "--appendonly", "yes", "--appendfsync", "always")

	cluster := sync.OnceValue(func() *plant {
		return newPlant(b, plantConfig{postgres: database.Database(b), rabbitmq: broker.Addr})
	})
	embedded := sync.OnceValue(func() *plant { return newPlant(b, plantConfig{}) })
	stored := sync.OnceValue(func() *plant {
		return newPlant(b, plantConfig{postgres: database.Database(b), rabbitmq: broker.Addr, prefix: "stored.", storage: true})
	})
	ours := func(name string, p func() *plant, rest bool, uses ...*backend) func() *contender {
		return func() *contender {
			c := &contender{name: name, post: p().grpc, drained: p().drained, uses: uses}
			if rest {
				c.post = p().rest
			}
			return c
		}
	}
	var all []*contender
	for _, c := range []func() *contender{
		ours("cluster, gRPC", cluster, false, rabbit, postgres),
		func() *contender { return bareBroker(b, broker.URL, rabbit) },
		func() *contender { return pipelinedBroker(b, broker.URL, rabbit) },
		func() *contender { return riverJobs(b, database.Database(b), postgres) },
		func() *contender { return asynqJobs(b, "asynq everysec", everySecond) },
		func() *contender { return asynqJobs(b, "asynq always", always) },
		ours("embedded, gRPC", embedded, false),
		ours("cluster, REST", cluster, true, rabbit, postgres),
		ours("embedded, REST", embedded, true),
		ours("cluster, gRPC, real storage", stored, false, rabbit, postgres),
	} {
		all = append(all, c())
	}
	for b.Loop() {
		compare(b, all)
	}
	b.ReportMetric(0, "ns/op")
}

// compare measures in turns and prints medians, and ratios of the first to the others within each turn.
func compare(b *testing.B, all []*contender) {
	laps := map[string][]lap{}
	for _, c := range all {
		c.work(b, 500*time.Millisecond) // connections, plans, windows
	}
	for turn := range jobTurns {
		order := slices.Clone(all)
		if turn%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			laps[c.name] = append(laps[c.name], c.work(b, time.Second))
		}
	}
	pick := func(name string, of func(lap) float64) []float64 {
		var out []float64
		for _, l := range laps[name] {
			out = append(out, of(l))
		}
		return out
	}
	ours := pick(all[0].name, func(l lap) float64 { return l.rate })
	var text strings.Builder
	fmt.Fprintf(&text, "%-30s %9s %9s %9s  %s\n", "", "jobs/s", "ours/it", "posts/s", "processor time a job, µs")
	for _, c := range all {
		rates := pick(c.name, func(l lap) float64 { return l.rate })
		ratios := make([]float64, len(rates))
		for i := range rates {
			ratios[i] = ours[i] / rates[i]
		}
		own := median(pick(c.name, func(l lap) float64 { return l.own }))
		cpu, sum := fmt.Sprintf("this process %.0f", own), own
		for _, s := range c.uses {
			of := median(pick(c.name, func(l lap) float64 { return l.servers[s.name] }))
			cpu += fmt.Sprintf(", %s %.0f", s.name, of)
			sum += of
		}
		fmt.Fprintf(&text, "%-30s %9.0f %9.2f %9.0f  %.0f: %s\n", c.name, median(slices.Clone(rates)), median(ratios), median(pick(c.name, func(l lap) float64 { return l.accepted })), sum, cpu)
	}
	fmt.Print("\n" + text.String()) // of what a benchmark logs, only ten lines are shown
}
