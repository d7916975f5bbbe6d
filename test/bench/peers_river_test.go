package bench

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// nothing is a job of River's that says as much as one of Calotype's.
type nothing struct {
	Image    string   `json:"image"`
	Variants []string `json:"variants"`
}

func (nothing) Kind() string { return "nothing" }

type idle struct {
	river.WorkerDefaults[nothing]
}

func (idle) Work(context.Context, *river.Job[nothing]) error { return nil }

// riverPlant is River with its workers. A job has ended when River's completer has written it down. The figures of the configuration are
// those of River's own benchmark, which are much quicker than its defaults.
type riverPlant struct {
	client *river.Client[pgx.Tx]
	uses   *backend
	posted atomic.Int64
	ended  *tally
}

func newRiver(b *testing.B, url string, uses *backend) *riverPlant {
	b.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = 32
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err == nil {
		_, err = migrator.Migrate(b.Context(), rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &idle{})
	client, err := river.NewClient(driver, &river.Config{
		FetchCooldown: 2 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, Workers: workers, Logger: slog.New(slog.DiscardHandler),
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2000}},
	})
	if err != nil {
		b.Fatal(err)
	}
	events, stop := client.SubscribeConfig(&river.SubscribeConfig{ChanSize: 1 << 20, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	if err := client.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := client.StopAndCancel(ctx); err != nil {
			b.Error(err)
		}
	})
	r := &riverPlant{client: client, uses: uses, ended: newTally()}
	go func() {
		for range events {
			r.ended.add()
		}
	}()
	return r
}

func (r *riverPlant) drained(ctx context.Context, posted int64) error {
	return r.ended.reach(ctx, posted)
}

var riverArgs = nothing{Image: "img_01JD0000000000000000000000", Variants: []string{variant}}

// singly inserts jobs one by one.
func (r *riverPlant) singly() *contender {
	return &contender{posters: posters, batch: 1, posted: &r.posted, uses: []*backend{r.uses}, drained: r.drained, post: func(ctx context.Context) error {
		_, err := r.client.Insert(ctx, riverArgs, nil)
		return err
	}}
}

// inBatches inserts as many at a time as a batch has, in one statement.
func (r *riverPlant) inBatches() *contender {
	all := slices.Repeat([]river.InsertManyParams{{Args: riverArgs}}, batch)
	return &contender{posters: batched, batch: batch, posted: &r.posted, uses: []*backend{r.uses}, drained: r.drained, post: func(ctx context.Context) error {
		_, err := r.client.InsertMany(ctx, all)
		return err
	}}
}
