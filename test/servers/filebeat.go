package servers

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"testing"
)

// Filebeat is a shipper of logs.
type Filebeat struct {
	*Process
	stats string
}

// NewFilebeat starts one with variables and arguments, and returns when it tells of itself.
func NewFilebeat(t testing.TB, env []string, args ...string) *Filebeat {
	t.Helper()
	addr := FreePort(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &Filebeat{stats: "http://" + addr + "/stats"}
	f.Process = Run(t, Program{
		Path: find(t, "filebeat"), Env: env,
		Args:  append([]string{"--strict.perms=false", "-E", "http.enabled=true", "-E", "http.host=127.0.0.1", "-E", "http.port=" + port}, args...),
		Ready: func(ctx context.Context, _ *Process) error { return answers(ctx, f.stats) },
	})
	return f
}

// Told is how many lines it has read and how many it has brought to where they go, since it was started last.
func (f *Filebeat) Told(ctx context.Context) (taken, brought int, err error) {
	var s struct {
		Libbeat struct {
			Pipeline struct{ Events struct{ Published int } }
			Output   struct{ Events struct{ Acked int } }
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.stats, nil)
	if err != nil {
		return 0, 0, err
	}
	rsp, err := asking().Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer rsp.Body.Close()
	err = json.NewDecoder(rsp.Body).Decode(&s)
	return s.Libbeat.Pipeline.Events.Published, s.Libbeat.Output.Events.Acked, err
}
