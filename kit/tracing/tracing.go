// Package tracing gives a process its opentracing.Tracer: jaeger-client over HTTP to a collector, or none. It reads and writes
// trace contexts in Jaeger's form and in W3C's, wraps RPC clients, RPC handlers and HTTP handlers, and carries a trace through
// a queue. There is no global tracer: whoever traces is handed one.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/uber/jaeger-client-go"
	"github.com/uber/jaeger-client-go/transport"

	"calotype/kit/fault"
)

// Config says which traces are kept and where they go.
type Config struct {
	Sampler   string  `koanf:"sampler" doc:"which traces are kept: off (no tracing at all), none (ids only), all, probabilistic, ratelimiting, remote"`
	Param     float64 `koanf:"param" doc:"probabilistic: the share that is kept, 0..1; ratelimiting: traces a second; remote: the share until the first answer"`
	Collector string  `koanf:"collector" doc:"Jaeger's HTTP collector"`
	Sampling  string  `koanf:"sampling" doc:"where the remote sampler asks for its strategy"`
}

// DefaultConfig does not trace.
func DefaultConfig() Config {
	return Config{
		Sampler: "off", Param: 0.01,
		Collector: "http://127.0.0.1:14268/api/traces", Sampling: "http://127.0.0.1:14268/api/sampling",
	}
}

// Validate reports what New would refuse.
func (c Config) Validate() []fault.Field {
	var fs []fault.Field
	bad := func(path, format string, args ...any) {
		fs = append(fs, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	switch c.Sampler {
	case "off", "none", "all":
	case "probabilistic", "remote":
		if c.Param < 0 || c.Param > 1 {
			bad("param", "%v is not within 0..1", c.Param)
		}
	case "ratelimiting":
		if c.Param <= 0 {
			bad("param", "%v traces a second are none", c.Param)
		}
	default:
		bad("sampler", "%q is not one of off, none, all, probabilistic, ratelimiting, remote", c.Sampler)
	}
	if c.Sampler == "off" {
		return fs
	}
	for _, a := range [][2]string{{"collector", c.Collector}, {"sampling", c.Sampling}} {
		if u, err := url.Parse(a[1]); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			bad(a[0], "%q is not an HTTP address", a[1])
		}
	}
	return fs
}

// Process identifies who traces.
type Process struct{ Service, Version, Node string }

// Tracer is an opentracing.Tracer that can be closed.
type Tracer struct {
	opentracing.Tracer
	sampler jaeger.Sampler
	ids     bool // of traces that are not kept too
	close   func()
}

// New makes a tracer; with sampler "off" one that does nothing and costs nothing.
func New(cfg Config, who Process, l *slog.Logger) (*Tracer, error) {
	if fs := cfg.Validate(); len(fs) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the tracing configuration is wrong", Fields: fs}
	}
	if cfg.Sampler == "off" {
		return &Tracer{Tracer: opentracing.NoopTracer{}, close: func() {}}, nil
	}
	s, err := sampler(cfg, who.Service)
	if err != nil {
		return nil, fmt.Errorf("making the sampler: %w", err)
	}
	quiet := &logger{log: l}
	sender := transport.NewHTTPTransport(cfg.Collector, transport.HTTPTimeout(3*time.Second))
	t := withReporter(who, s, jaeger.NewRemoteReporter(sender, jaeger.ReporterOptions.Logger(quiet), jaeger.ReporterOptions.QueueSize(2000)), quiet)
	t.ids = cfg.Sampler == "none"
	return t, nil
}

func withReporter(who Process, s jaeger.Sampler, r jaeger.Reporter, l jaeger.Logger) *Tracer {
	options := []jaeger.TracerOption{
		jaeger.TracerOptions.Gen128Bit(true), // as W3C wants it
		jaeger.TracerOptions.Injector(opentracing.TextMap, propagator{}),
		jaeger.TracerOptions.Extractor(opentracing.TextMap, propagator{}),
		jaeger.TracerOptions.Injector(opentracing.HTTPHeaders, propagator{}),
		jaeger.TracerOptions.Extractor(opentracing.HTTPHeaders, propagator{}),
		jaeger.TracerOptions.Logger(l),
	}
	if who.Version != "" {
		options = append(options, jaeger.TracerOptions.Tag("service.version", who.Version))
	}
	if who.Node != "" {
		options = append(options, jaeger.TracerOptions.Tag("service.node.name", who.Node))
	}
	asked := s
	if v2, ok := s.(jaeger.SamplerV2); ok {
		asked = decided{v2, s}
	}
	t, closer := jaeger.NewTracer(who.Service, asked, r, options...)
	return &Tracer{Tracer: t, sampler: s, close: func() { _ = closer.Close() }} // its error is always nil
}

func sampler(cfg Config, service string) (jaeger.Sampler, error) {
	switch cfg.Sampler {
	case "none":
		return jaeger.NewConstSampler(false), nil
	case "probabilistic":
		return jaeger.NewProbabilisticSampler(cfg.Param)
	case "ratelimiting":
		return jaeger.NewRateLimitingSampler(cfg.Param), nil
	case "remote":
		initial, err := jaeger.NewProbabilisticSampler(cfg.Param)
		if err != nil {
			return nil, err
		}
		remote := jaeger.NewRemotelyControlledSampler(service, jaeger.SamplerOptions.SamplingServerURL(cfg.Sampling),
			jaeger.SamplerOptions.InitialSampler(initial))
		go remote.UpdateSampler() // by itself it first asks after a minute
		return remote, nil
	}
	return jaeger.NewConstSampler(true), nil
}

// Close sends what is waiting. jaeger-client would wait for a collector that hangs, batch by batch; the context ends that.
func (t *Tracer) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.close()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("sending the last spans: %w", ctx.Err())
	}
}

// Off reports whether a tracer does nothing.
func Off(t opentracing.Tracer) bool {
	if mine, ok := t.(*Tracer); ok {
		t = mine.Tracer
	}
	_, noop := t.(opentracing.NoopTracer)
	return noop || t == nil
}

// logger tells of lost spans once a minute: a collector that is away is not worth a line a second.
type logger struct {
	log  *slog.Logger
	last atomic.Int64
}

func (l *logger) Error(msg string) {
	now, last := time.Now().UnixNano(), l.last.Load()
	if now-last > int64(time.Minute) && l.last.CompareAndSwap(last, now) {
		l.log.Warn("spans are lost", "reason", msg)
	}
}

func (l *logger) Infof(string, ...any) {}
