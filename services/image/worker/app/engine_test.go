package app_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"calotype/services/image/app/queue"
	"calotype/services/image/internal/job"
	"calotype/services/image/worker/app"
)

// nothing is an engine that makes no pictures, as a test outside of the service writes it.
type nothing struct{ app.Engine }

func (nothing) Render(_ context.Context, _ app.Input, variants []app.Variant, _ func(app.Progress)) (out []app.Rendered, _ error) {
	for _, v := range variants {
		out = append(out, app.Rendered{Name: v.Name, Format: string(v.Output.Format), ContentType: v.Output.Format.ContentType(), Width: 1, Height: 1, Pages: 1, Data: []byte(v.Name)})
	}
	return out, nil
}

func TestAnotherEngine(t *testing.T) {
	host, n := store(t)
	cfg := config(t, filepath.Join(t.TempDir(), "queue.db"))
	q, err := queue.Open(cfg.Queue, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	n.queue = q
	a, err := app.New(cfg, host, app.WithEngine(func(real app.Engine) app.Engine { return nothing{real} }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	n.ask(t, "job_none", n.keep(t, "photo.jpg"), variant(t, "a", "w_48,f_jpeg"))
	reports := n.told(t, "job_none")
	if last := reports[len(reports)-1]; last.Kind != job.Finished || last.Results[0].Size != 1 {
		t.Errorf("told %+v", last)
	}
}
