package rabbitmq_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"calotype/services/image/internal/queuetest"
	"calotype/services/image/internal/rabbitmq"
	"calotype/test/servers"
)

// namespace is a prefix of its own on brokers that tests share.
type namespace struct{ cfg rabbitmq.Config }

var names atomic.Int64

func newNamespace(s queuetest.Settings, urls ...string) namespace {
	cfg := rabbitmq.DefaultConfig()
	cfg.URLs = urls
	cfg.Prefix, cfg.MaxDeliveries = fmt.Sprintf("test%d.", names.Add(1)), s.MaxDeliveries
	return namespace{cfg}
}

func (n namespace) open(t testing.TB) *rabbitmq.Queue {
	t.Helper()
	q, err := rabbitmq.Open(context.Background(), n.cfg, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// quiet logs into the test, which shows it when it fails.
func quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (n namespace) Connect(t *testing.T) queuetest.Client { return n.open(t) }

var _ queuetest.Client = (*rabbitmq.Queue)(nil)

// TestOneNode is all that one node is enough for; it takes some seconds to start.
func TestOneNode(t *testing.T) {
	node := servers.NewRabbitMQ(t)
	t.Run("Queue", func(t *testing.T) {
		queuetest.Exercise(t, func(_ *testing.T, s queuetest.Settings) queuetest.Broker { return newNamespace(s, node.URL) }, queuetest.Traits{Bundles: true})
	})
	t.Run("CutWhileHandling", func(t *testing.T) { cutWhileHandling(t, node) })
	t.Run("ExplainsConflicts", func(t *testing.T) { explainsConflicts(t, node) })
	t.Run("Blocked", func(t *testing.T) { blocked(t, node) })
}
