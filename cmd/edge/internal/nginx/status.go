package nginx

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status is what a running nginx tells about itself (stub_status), for health checks and as metrics.
type Status struct {
	client                      http.Client
	connections                 *prometheus.Desc
	accepted, handled, requests *prometheus.Desc
}

// NewStatus asks at a socket.
func NewStatus(socket string) *Status {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("calotype_edge_nginx_"+name, help, labels, nil)
	}
	return &Status{
		client:      http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 2 * time.Second},
		connections: desc("connections", "Clients' connections: active in all, of which reading, writing and waiting.", "state"),
		accepted:    desc("accepted_total", "Connections that were accepted."),
		handled:     desc("handled_total", "Connections that were handled: fewer than accepted when there were too many."),
		requests:    desc("requests_total", "Requests."),
	}
}

type numbers struct{ active, accepted, handled, requests, reading, writing, waiting float64 }

func (s *Status) ask(ctx context.Context) (n numbers, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://nginx/status", nil)
	if err != nil {
		return n, err
	}
	rsp, err := s.client.Do(req)
	if err != nil {
		return n, fmt.Errorf("nginx does not answer: %w", err)
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(rsp.Body, 4<<10))
	if err != nil {
		return n, fmt.Errorf("nginx does not answer: %w", err)
	}
	const form = "Active connections: %f \nserver accepts handled requests\n %f %f %f \nReading: %f Writing: %f Waiting: %f"
	if _, err := fmt.Sscanf(string(text), form, &n.active, &n.accepted, &n.handled, &n.requests, &n.reading, &n.writing, &n.waiting); err != nil {
		return n, fmt.Errorf("nginx's answer is not understood: %w", err)
	}
	return n, nil
}

// Answers is a health check.
func (s *Status) Answers(ctx context.Context) error {
	_, err := s.ask(ctx)
	return err
}

// Describe and Collect make it a prometheus.Collector. An nginx that does not answer has no numbers.
func (s *Status) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.connections, s.accepted, s.handled, s.requests} {
		ch <- d
	}
}

// Collect asks nginx.
func (s *Status) Collect(ch chan<- prometheus.Metric) {
	n, err := s.ask(context.Background())
	if err != nil {
		return
	}
	for state, v := range map[string]float64{"active": n.active, "reading": n.reading, "writing": n.writing, "waiting": n.waiting} {
		ch <- prometheus.MustNewConstMetric(s.connections, prometheus.GaugeValue, v, state)
	}
	ch <- prometheus.MustNewConstMetric(s.accepted, prometheus.CounterValue, n.accepted)
	ch <- prometheus.MustNewConstMetric(s.handled, prometheus.CounterValue, n.handled)
	ch <- prometheus.MustNewConstMetric(s.requests, prometheus.CounterValue, n.requests)
}
