package rabbitmq_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/queuetest"
	"calotype/services/image/internal/rabbitmq"
	"calotype/test/servers"
)

// A broker that takes only clients with a certificate gives deliveries to ours, and ours trusts no broker of another authority.
func TestTLS(t *testing.T) {
	authority := servers.NewAuthority(t)
	node := servers.NewRabbitMQWithTLS(t, authority.Issue(t.TempDir(), 1))
	own, strange := authority.Issue(t.TempDir(), 2), servers.NewAuthority(t).Issue(t.TempDir(), 3)
	n := newNamespace(queuetest.Settings{MaxDeliveries: 3}, "amqps://"+node.TLS+"/")
	n.cfg.TLS = rabbitmq.TLSConfig{CAFile: own.CA, CertFile: own.Cert, KeyFile: own.Key}
	q := n.open(t)
	publish(t, q, "t", "a")
	got := make(chan string, 1)
	consume(t, q, "t", 1, func(_ context.Context, d job.Delivery) job.Verdict { got <- d.ID; return job.Done() })
	if id := receive(t, got, "delivery by TLS"); id != "a" {
		t.Errorf("got %q", id)
	}
	for what, tls := range map[string]rabbitmq.TLSConfig{
		"no certificate":             {CAFile: own.CA},
		"another authority's broker": {CAFile: strange.CA, CertFile: own.Cert, KeyFile: own.Key},
		"another authority's client": {CAFile: own.CA, CertFile: strange.Cert, KeyFile: strange.Key},
		"the system's authorities":   {CertFile: own.Cert, KeyFile: own.Key},
	} {
		other := n
		other.cfg.TLS, other.cfg.PublishTimeout, other.cfg.ConfirmTimeout = tls, 1e9, 1e9
		if said, err := attempt(t, other); err == nil || !strings.Contains(err.Error()+said, "tls: ") {
			t.Errorf("%s: %v, and\n%s, want something that names the certificate", what, err, said)
		}
	}
}

// attempt opens a queue and publishes. It gives what was logged as well: of a broker that does not like a certificate, one attempt may learn
// why, and the next only that the connection broke.
func attempt(t *testing.T, n namespace) (said string, _ error) {
	var log bytes.Buffer
	q, err := rabbitmq.Open(t.Context(), n.cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		return log.String(), err
	}
	err = q.Publish(t.Context(), "t", job.Message{ID: "b"})
	q.Close()
	return log.String(), err
}
