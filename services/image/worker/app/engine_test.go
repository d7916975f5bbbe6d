package app_test

import (
	"context"
	"path/filepath"
	"testing"

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
	n.join(t, cfg)
	worker(t, cfg, host, app.WithEngine(func(real app.Engine) app.Engine { return nothing{real} }))
	n.ask(t, "job_none", n.keep(t, "photo.jpg"), variant(t, "a", "w_48,f_jpeg"))
	reports := n.told(t, "job_none")
	if last := reports[len(reports)-1]; last.Kind != job.Finished || last.Results[0].Size != 1 {
		t.Errorf("told %+v", last)
	}
}
