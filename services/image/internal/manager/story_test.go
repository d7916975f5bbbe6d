package manager_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/mocktracer"
	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/logging"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// The trace and the request id of whoever asked travel with the task, and come back with the reports.
func TestTheStoryTravels(t *testing.T) {
	tracer := mocktracer.New()
	w := begin(t, func(s *setting) { s.parts.Tracer = tracer })
	headers := make(chan map[string]string, 1)
	w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		headers <- d.Headers
		return succeed(d, task, tell)
	})
	span := tracer.StartSpan("upload")
	ctx := logging.With(opentracing.ContextWithSpan(t.Context(), span), slog.String(logging.RequestID, "req-7"))
	req := thumb()
	req.Digest = digest(1)
	a, err := w.Images.Create(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	h := <-headers
	got, err := tracer.Extract(opentracing.TextMap, opentracing.TextMapCarrier(h))
	if err != nil || got.(mocktracer.MockSpanContext).TraceID != span.Context().(mocktracer.MockSpanContext).TraceID || h["x-request-id"] != "req-7" {
		t.Errorf("the task carries %v, %v", h, err)
	}
	w.ended(a.Job.ID)
	w.settle()
	seen := map[string]bool{}
	for _, s := range tracer.FinishedSpans() {
		seen[s.OperationName] = true
	}
	if !seen["job report began"] || !seen["job report finished"] {
		t.Errorf("spans: %v", seen)
	}
}

func TestMetrics(t *testing.T) {
	w := begin(t, still)
	w.create(thumb())
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&manager.Metrics{Store: w.store, Queue: w.queue, Timeout: time.Second, Backlog: func() int { return 1 }})
	values := func() map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += "," + l.GetValue()
				}
				all[name] = m.GetGauge().GetValue()
			}
		}
		return all
	}
	got := values()
	if got["calotype_jobs,queued"] != 1 || got["calotype_outbox_messages"] != 1 || got["calotype_outbox_oldest_seconds"] <= 0 ||
		got["calotype_jobs_oldest_unfinished_seconds"] <= 0 || got["calotype_queue_messages,ready,tasks"] != 0 {
		t.Errorf("before: %v", got)
	}
	if _, err := w.store.Relay(t.Context(), job.Normal, 10, func(ctx context.Context, out []job.Outgoing) error {
		return w.queue.Publish(ctx, out[0].Topic, out[0].Message)
	}); err != nil {
		t.Fatal(err)
	}
	if got = values(); got["calotype_outbox_messages"] != 0 || got["calotype_queue_messages,ready,tasks"] != 1 || got["calotype_queue_oldest_seconds,tasks"] <= 0 {
		t.Errorf("after: %v", got)
	}
}
