package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"calotype/gateway/internal/catalog"
	"calotype/gateway/internal/relay"
	"calotype/gateway/internal/wire"
	"calotype/kit/boot"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

// grpcSite is what serves gRPC calls.
type grpcSite struct {
	catalog *catalog.Catalog
	relay   *relay.Handler
}

// newGRPC builds it over the process's RPC client. Late ends when running calls can no longer be waited for; deleted is told when an
// image may have been deleted.
func newGRPC(late context.Context, cfg Config, host *boot.Host, deleted func()) (*grpcSite, error) {
	known := map[string]string{
		greeterv1.Greeter_ServiceDesc.ServiceName:   proto.Greeter,
		imagev1.Images_ServiceDesc.ServiceName:      proto.Image,
		imagev1.Jobs_ServiceDesc.ServiceName:        proto.Image,
		imagev1.Batches_ServiceDesc.ServiceName:     proto.Image,
		imagev1.Webhooks_ServiceDesc.ServiceName:    proto.Image,
		imagev1.Transformer_ServiceDesc.ServiceName: proto.Worker,
		storagev1.Storage_ServiceDesc.ServiceName:   proto.Storage,
	}
	client := host.Client()
	c := catalog.New(catalog.Config{Registry: host.Registry, Opener: client, Known: known, Rules: cfg.GRPC.Services, Log: host.Log})
	count, err := counted(host.Metrics)
	if err != nil {
		return nil, err
	}
	done := func(method string, code codes.Code, took time.Duration) {
		if method == imagev1.Images_Delete_FullMethodName {
			deleted() // before the caller sees the end of the call
		}
		count(method, code, took)
	}
	r, err := relay.New(relay.Config{
		MaxMessage: int(cfg.GRPC.MaxMessage), MaxCalls: cfg.GRPC.MaxCalls, Timeout: cfg.Timeouts.Request, Patience: cfg.Timeouts.Stall,
		Forward: cfg.HTTP.ForwardHeaders, Leaving: late, Done: done,
	}, c, client, host.Health, host.Log)
	return &grpcSite{c, r}, err
}

// beside serves gRPC beside what else is served on the same port.
func (s *grpcSite) beside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wire.Is(r) {
			s.relay.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// counted counts and times gRPC calls. HTTP's own figures say 200 of them all.
func counted(r prometheus.Registerer) (func(method string, code codes.Code, took time.Duration), error) {
	done := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calotype_gateway_grpc_completed_total",
		Help: "gRPC calls that the gateway answered, by method and status."}, []string{"method", "code"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "calotype_gateway_grpc_seconds",
		Help: "How long gRPC calls through the gateway took, streams to their end.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"method"})
	var twice prometheus.AlreadyRegisteredError
	if err := r.Register(done); errors.As(err, &twice) { // another gateway of this process
		done, _ = twice.ExistingCollector.(*prometheus.CounterVec)
	} else if err != nil {
		return nil, err
	}
	if err := r.Register(took); errors.As(err, &twice) {
		took, _ = twice.ExistingCollector.(*prometheus.HistogramVec)
	} else if err != nil {
		return nil, err
	}
	return func(method string, code codes.Code, d time.Duration) {
		if method == "" {
			method = "none"
		}
		done.WithLabelValues(method, code.String()).Inc()
		took.WithLabelValues(method).Observe(d.Seconds())
	}, nil
}

// http2Config bounds what connections hold in memory, and finds clients that are gone without a word.
func http2Config(cfg Config) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: min(cfg.GRPC.MaxCalls, 1000), MaxReceiveBufferPerStream: 1 << 20, MaxReceiveBufferPerConnection: 8 << 20,
		SendPingTimeout: 30 * time.Second, PingTimeout: 10 * time.Second,
	}
}

func (s *site) close() {
	s.nodes.Close()
	s.grpc.relay.Close()
}
