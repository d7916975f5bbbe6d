package s3

import (
	"context"
	"errors"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts the requests to the object store.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	endpoint *prometheus.GaugeVec
	memory   prometheus.Gauge
	swept    *prometheus.CounterVec
}

// NewMetrics registers the figures.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_storage_s3_requests_total", Help: "Requests to the object store, by operation and result: ok, refused (any answer that is an error), busy (try later), broken (no answer), left (the caller did).",
		}, []string{"operation", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "calotype_storage_s3_request_seconds", Help: "Time until a request to the object store was answered, a download's bytes not included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation"}),
		endpoint: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_storage_s3_endpoint_up", Help: "1 while the endpoint of the object store answers, 0 while it is left out.",
		}, []string{"endpoint"}),
		memory: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "calotype_storage_s3_memory_bytes", Help: "Bytes that the parts of running uploads hold in memory.",
		}),
		swept: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_storage_s3_swept_total", Help: "Remains of uploads that never ended, removed from the bucket, by kind.",
		}, []string{"kind"}),
	}
	reg.MustRegister(m.requests, m.seconds, m.endpoint, m.memory, m.swept)
	return m
}

func (m *Metrics) request(operation string, err error, took time.Duration) {
	m.requests.WithLabelValues(operation, result(err)).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
}

func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, new(*refusal)):
		return "busy"
	case errors.As(err, new(minio.ErrorResponse)):
		return "refused"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "left"
	}
	return "broken"
}

func (m *Metrics) up(name string, is bool) {
	value := 0.0
	if is {
		value = 1
	}
	m.endpoint.WithLabelValues(name).Set(value)
}
