package metrics

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"

	"calotype/kit/fault"
	"calotype/kit/internal/ending"
)

// outcome is the label of how a call ended: ok, or the kind of its fault.
func outcome(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return "ok"
	}
	return fault.KindOf(err).String()
}

// NewHandlerWrapper counts and times what a server answers. A stream counts when its handler returns.
func NewHandlerWrapper(r prometheus.Registerer) server.HandlerWrapper {
	handled := counter(r, "calotype_rpc_server_handled_total", "Calls that were answered, by method and outcome.", "method", "code")
	took := histogram(r, "calotype_rpc_server_handling_seconds", "How long answering took, streams to their end.", "method")
	running := gauge(r, "calotype_rpc_server_in_flight", "Calls being answered.", "method")
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) (err error) {
			method, start := req.Method(), time.Now()
			running.WithLabelValues(method).Inc()
			panicked := true
			defer func() {
				code := outcome(err)
				if panicked {
					code = fault.Internal.String()
				}
				running.WithLabelValues(method).Dec()
				took.WithLabelValues(method).Observe(time.Since(start).Seconds())
				handled.WithLabelValues(method, code).Inc()
			}()
			err = next(ctx, req, rsp)
			panicked = false
			return err
		}
	}
}

// NewClientWrapper counts and times calls to other services, retries included in the one call. A stream counts when it ends.
func NewClientWrapper(r prometheus.Registerer) client.Wrapper {
	m := &clientMetrics{
		done:    counter(r, "calotype_rpc_client_completed_total", "Calls that were made, by service, method and outcome.", "service", "method", "code"),
		took:    histogram(r, "calotype_rpc_client_seconds", "How long calls took, streams to their end.", "service", "method"),
		running: gauge(r, "calotype_rpc_client_in_flight", "Calls under way.", "service", "method"),
	}
	return func(c client.Client) client.Client { return &countedClient{Client: c, m: m} }
}

type clientMetrics struct {
	done    *prometheus.CounterVec
	took    *prometheus.HistogramVec
	running *prometheus.GaugeVec
}

// begin counts a call as under way and gives what ends it, once.
func (m *clientMetrics) begin(req client.Request) func(error) {
	service, method, start := req.Service(), req.Method(), time.Now()
	m.running.WithLabelValues(service, method).Inc()
	var once sync.Once
	return func(err error) {
		once.Do(func() {
			m.running.WithLabelValues(service, method).Dec()
			m.took.WithLabelValues(service, method).Observe(time.Since(start).Seconds())
			m.done.WithLabelValues(service, method, outcome(err)).Inc()
		})
	}
}

type countedClient struct {
	client.Client
	m *clientMetrics
}

func (c *countedClient) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	end := c.m.begin(req)
	err := c.Client.Call(ctx, req, rsp, opts...)
	end(err)
	return err
}

func (c *countedClient) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	end := c.m.begin(req)
	s, err := c.Client.Stream(ctx, req, opts...)
	if err != nil {
		end(err)
		return nil, err
	}
	return ending.Watch(s, end), nil
}
