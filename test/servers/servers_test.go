package servers

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	jaeger "github.com/uber/jaeger-client-go"
	"github.com/uber/jaeger-client-go/transport"
)

func TestConsulForgetsWhenKilled(t *testing.T) {
	c := NewConsul(t)
	register(t, c)
	if got := services(t, c); !strings.Contains(got, "photo") {
		t.Fatalf("services are %s, want photo among them", got)
	}

	c.Kill()
	if err := answers(t.Context(), "http://"+c.Addr+"/v1/catalog/services"); err == nil {
		t.Fatal("a killed agent answers")
	}
	c.Start()
	if got := services(t, c); strings.Contains(got, "photo") {
		t.Fatalf("services are %s after a new start, want photo forgotten", got)
	}
}

func TestFrozenServerHangs(t *testing.T) {
	c := NewConsul(t)
	c.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := answers(ctx, "http://"+c.Addr+"/v1/catalog/services"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a frozen agent gives %v, want a deadline that runs out", err)
	}
	c.Thaw()
	register(t, c)
}

func TestJaegerKeepsSpans(t *testing.T) {
	j := NewJaeger(t)
	sender := transport.NewHTTPTransport(j.Collector)
	tracer, closer := jaeger.NewTracer("photo", jaeger.NewConstSampler(true), jaeger.NewRemoteReporter(sender))
	tracer.StartSpan("developed").Finish()
	if err := closer.Close(); err != nil { // sends what is left
		t.Fatal(err)
	}

	again, late := time.NewTicker(pollEvery), time.After(10*time.Second)
	defer again.Stop()
	for {
		var found struct{ Data []struct{ TraceID string } }
		get(t, j.Query+"/api/traces?service=photo", &found)
		if len(found.Data) == 1 && found.Data[0].TraceID != "" {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatal("the span is not to be found")
		}
	}
}

func TestStartTakesOtherPortsWhenOneIsLost(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tries := 0
	start(t, "consul", 3, func(ports []int) ([]string, func(context.Context) error) {
		if tries++; tries == 1 {
			return []string{"agent", "-dev", "-http-port=" + strings.TrimPrefix(taken.Addr().String(), "127.0.0.1:")},
				func(context.Context) error { return errors.New("not ready") }
		}
		return []string{"version"}, func(context.Context) error { return nil }
	})
	if tries != 2 {
		t.Fatalf("started %d times, want a second try after the first lost its port", tries)
	}
}

func TestServersEndWithTheirTest(t *testing.T) {
	var c *Consul
	t.Run("one", func(t *testing.T) { c = NewConsul(t) })
	select {
	case <-c.exited:
	default:
		t.Fatal("the agent outlives its test")
	}
	if err := c.cmd.Process.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("signalling it gives %v, want that it is done", err)
	}
}

func register(t *testing.T, c *Consul) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+c.Addr+"/v1/agent/service/register", strings.NewReader(`{"Name":"photo"}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := asking().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("register answers %s", res.Status)
	}
}

func services(t *testing.T, c *Consul) string {
	t.Helper()
	var found json.RawMessage
	get(t, "http://"+c.Addr+"/v1/agent/services", &found)
	return string(found)
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := asking().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatalf("%s answers %s: %v", url, res.Status, err)
	}
}
