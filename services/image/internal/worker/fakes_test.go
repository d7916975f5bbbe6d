package worker

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/opentracing/opentracing-go"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

const digest = job.Digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

// bench is a node without pictures: its parts do what a test tells them.
type bench struct {
	t *testing.T

	layers  map[job.Digest][]byte // what overlays name
	seen    job.Input             // by the last rendering
	open    func(ctx context.Context) ([]byte, error)
	render  func(ctx context.Context, v []recipe.Variant) ([]Rendered, error)
	put     func(d job.Digest) error
	consume func(ctx context.Context, topic string, slots int, h job.Handler) error

	mu        sync.Mutex
	inspected int
	opened    []job.Digest // of layers
	stored    []job.Digest
	reports   []job.Report
	publish   error
	hang      func(context.Context, job.Report) // before a report is taken
}

func newBench(t *testing.T) *bench {
	return &bench{
		t:    t,
		open: func(context.Context) ([]byte, error) { return []byte("original"), nil },
		render: func(_ context.Context, vs []recipe.Variant) (out []Rendered, _ error) {
			for _, v := range vs {
				out = append(out, Rendered{Name: v.Name, Format: string(v.Output.Format), Width: 1, Height: 1, Pages: 1, Data: []byte(v.Name)})
			}
			return out, nil
		},
		put: func(job.Digest) error { return nil },
	}
}

func (b *bench) Open(ctx context.Context, d job.Digest, limit int64) ([]byte, error) {
	if data, is := b.layers[d]; is {
		b.opened = append(b.opened, d)
		if int64(len(data)) > limit {
			return nil, fault.New(fault.Invalid, "IMAGE_TOO_LARGE", "too large")
		}
		if data == nil {
			return nil, fault.New(fault.NotFound, "BLOB_NOT_FOUND", "no such blob")
		}
		return data, nil
	}
	if d != digest || limit != 1000 {
		b.t.Errorf("asked for %s within %d bytes", d, limit)
	}
	return b.open(ctx)
}

func (b *bench) Put(_ context.Context, d job.Digest, _ []byte) error {
	if err := b.put(d); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored = append(b.stored, d)
	return nil
}

func (b *bench) Inspect(context.Context, []byte) (job.Picture, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inspected++
	return job.Picture{Format: "png", HasAlpha: true, Width: 7}, nil
}

func (b *bench) Render(ctx context.Context, in job.Input, v []recipe.Variant, tell func(job.Progress)) ([]Rendered, error) {
	b.mu.Lock()
	b.seen = in
	b.mu.Unlock()
	if tell != nil {
		tell(job.Progress{Phase: "rendering", Percent: 40})
	}
	return b.render(ctx, v)
}

func (b *bench) Publish(ctx context.Context, topic string, ms ...job.Message) error {
	if b.publish != nil {
		return b.publish
	}
	for _, m := range ms {
		var r job.Report
		if err := json.Unmarshal(m.Body, &r); err != nil || topic != job.Reports || m.ID != r.MessageID() {
			b.t.Errorf("published %q as %q to %s: %v", m.Body, m.ID, topic, err)
		}
		if b.hang != nil {
			b.hang(ctx, r)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.mu.Lock()
		b.reports = append(b.reports, r)
		b.mu.Unlock()
	}
	return nil
}

func (b *bench) Consume(ctx context.Context, topic string, slots int, h job.Handler) error {
	return b.consume(ctx, topic, slots, h)
}

func (b *bench) Depth(context.Context, string, ...job.Class) (job.Depth, error) {
	return job.Depth{}, nil
}

func (b *bench) kinds() (kinds []job.ReportKind) {
	for _, r := range b.reports {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

func (b *bench) worker(change ...func(*Config)) *Worker {
	cfg := DefaultConfig()
	cfg.Slots = 2
	for _, f := range change {
		f(&cfg)
	}
	w := New(cfg, Parts{Originals: b, Results: b, Engine: b, Queue: b, Limit: func() int64 { return 1000 }, Node: "node-1",
		Tracer: opentracing.NoopTracer{}, Log: slog.New(slog.DiscardHandler)})
	w.Consumer.paces.began, w.Consumer.paces.first = 0, 0 // nothing is left out
	return w
}

func delivery(t *testing.T, attempt int, variants ...recipe.Variant) job.Delivery {
	t.Helper()
	task := job.Task{Job: "job_1", Run: 2, Original: digest, Recipe: recipe.Recipe{Variants: variants}}
	body, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	return job.Delivery{Message: job.Message{ID: task.MessageID(), Body: body}, Attempt: attempt}
}

func thumb() recipe.Variant {
	return recipe.Variant{Name: "thumb", Steps: []recipe.Step{recipe.Resize{Mode: recipe.Limit, Width: 64}}, Output: recipe.Output{Format: recipe.JPEG, Quality: 80}}
}

// named is an error that concerns a variant.
type named struct{ error }

func (named) VariantName() string { return "thumb" }
func (n named) Unwrap() error     { return n.error }

var away = fault.New(fault.Unavailable, "", "storage is away")

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}
