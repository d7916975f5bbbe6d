package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
	"calotype/test/servers"
)

// cluster is every service as a process of its own, found through a real Consul, traced into a real Jaeger.
type cluster struct {
	base   string
	consul *servers.Consul
	jaeger *servers.Jaeger
	nodes  map[string]*servers.Process // "greeter-1" and so on
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{consul: servers.NewConsul(t), jaeger: servers.NewJaeger(t), nodes: map[string]*servers.Process{}}
	data := t.TempDir()
	env := []string{
		"CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES=" + c.consul.Addr,
		"CALOTYPE_TRACING__SAMPLER=all", "CALOTYPE_TRACING__COLLECTOR=" + c.jaeger.Collector,
		"CALOTYPE_RPC__LISTEN=127.0.0.1:0", "CALOTYPE_LOG__LEVEL=warn",
	}
	queue := "CALOTYPE_QUEUE__PATH=" + filepath.Join(data, "queue.db")
	front := servers.FreePort(t)
	c.base = "http://" + front
	c.start(t, "storage-1", "storage", env, "CALOTYPE_STORAGE__ROOT="+filepath.Join(data, "blobs"))
	c.start(t, "image-1", "image", env, "CALOTYPE_IMAGE__DATABASE="+filepath.Join(data, "image.db"), queue)
	for _, n := range []string{"1", "2"} {
		c.start(t, "worker-"+n, "worker", env, queue)
		c.start(t, "greeter-"+n, "greeter", env)
	}
	c.start(t, "gateway-1", "gateway", env, "CALOTYPE_HTTP__LISTEN="+front)
	return c
}

func (c *cluster) start(t *testing.T, name, program string, env []string, more ...string) {
	t.Helper()
	ops := servers.FreePort(t)
	c.nodes[name] = servers.Run(t, servers.Program{
		Path: filepath.Join(bin, program),
		Env:  append(append(slices.Clone(env), "CALOTYPE_OPS__LISTEN="+ops), more...),
		Ready: func(ctx context.Context, _ *servers.Process) error {
			a, err := send(ctx, http.MethodGet, "http://"+ops+"/readyz", nil, nil)
			if err == nil && a.status != http.StatusOK {
				err = fmt.Errorf("%s is not ready: %s", name, a.body)
			}
			return err
		},
	})
}

// registered waits until Consul, and so everybody, knows n nodes of each service.
func (c *cluster) registered(t *testing.T, want map[string]int) {
	t.Helper()
	eventually(t, "every node is registered", func() error {
		a, err := send(within(t), http.MethodGet, c.base+"/v1/nodes", nil, nil)
		if err != nil {
			return err
		}
		var found struct {
			Nodes []struct{ Service string }
		}
		if err := json.Unmarshal(a.body, &found); err != nil {
			return err
		}
		have := map[string]int{}
		for _, n := range found.Nodes {
			have[n.Service]++
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			return fmt.Errorf("have %v, want %v", have, want)
		}
		return nil
	})
}

var whole = map[string]int{"calotype-gateway": 1, "calotype-greeter": 2, "calotype-image": 1, "calotype-image-worker": 2, "calotype-storage": 1}

// TestOneTraceAcrossTheQueue asks Jaeger for an upload's trace: every hop of it and, across the queue, the worker's.
func TestOneTraceAcrossTheQueue(t *testing.T) {
	c := newCluster(t)
	c.registered(t, whole)
	a, err := upload(within(t), c.base, "", url.Values{"preset": {"thumb"}}, picture(t, "photo.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	made := &imagev1.CreateImageResponse{}
	read(t, a, http.StatusCreated, made)
	if job := ended(t, c.base, made.Job.Id); job.State != imagev1.Job_SUCCEEDED {
		t.Fatalf("the job ended %v: %v", job.State, job.Failure)
	}
	trace := a.header.Get("X-Trace-Id")
	if trace == "" {
		t.Fatalf("the answer names no trace: %v", a.header)
	}
	jaeger := caller.New(c.jaeger.Query)
	eventually(t, "Jaeger has every hop of trace "+trace, func() error { return jaeger.Traced(within(t), trace) })
}

// TestKilledNodesFailNoCall kills one of two greeters and one of two workers with kill -9 under a steady load of calls. All of
// the calls are idempotent: none may fail.
func TestKilledNodesFailNoCall(t *testing.T) {
	c := newCluster(t)
	c.registered(t, whole)
	photo := picture(t, "photo.jpg")
	image, job := process(t, c.base, "thumb", photo)
	if job.State != imagev1.Job_SUCCEEDED {
		t.Fatalf("the job ended %v: %v", job.State, job.Failure)
	}
	load := c.load(t,
		func(n int) string { return fmt.Sprintf("/v1/greeter/hello?name=%d", n) },
		func(n int) string { return fmt.Sprintf("/i/w_%d/%s.jpg", 100+n%400, image.Id) },
		func(int) string { return "/v1/images/" + image.Id },
	)
	load.passed(t, 100)
	c.nodes["greeter-1"].Kill()
	c.nodes["worker-1"].Kill()
	load.passed(t, 400)
	left := map[string]int{"calotype-gateway": 1, "calotype-greeter": 1, "calotype-image": 1, "calotype-image-worker": 1, "calotype-storage": 1}
	c.registered(t, left) // Consul has noticed
	load.passed(t, 100)
	if _, job := process(t, c.base, "thumb", photo); job.State != imagev1.Job_SUCCEEDED {
		t.Errorf("with one worker left, a job ended %v: %v", job.State, job.Failure)
	}
	calls, failures := load.end()
	t.Logf("%d calls, %d failed", calls, len(failures))
	for _, f := range failures {
		t.Error(f)
	}
}

// load is a steady load of GETs: as many per kind at once as there are callers.
type load struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	calls  int
	failed []string
}

const callers = 2

func (c *cluster) load(t *testing.T, kinds ...func(n int) string) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	t.Cleanup(func() { l.end() })
	for _, path := range kinds {
		for caller := range callers {
			l.done.Go(func() {
				pace := time.NewTicker(20 * time.Millisecond)
				defer pace.Stop()
				for n := caller; ctx.Err() == nil; n += callers {
					l.call(ctx, c.base+path(n))
					select {
					case <-pace.C:
					case <-ctx.Done():
					}
				}
			})
		}
	}
	return l
}

func (l *load) call(ctx context.Context, url string) {
	began := time.Now()
	a, err := send(ctx, http.MethodGet, url, nil, nil)
	if ctx.Err() != nil {
		return // the load's own end
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if err != nil || a.status != http.StatusOK {
		l.failed = append(l.failed, fmt.Sprintf("GET %s after %v: %v %d %s", url, time.Since(began), err, a.status, a.body[:min(len(a.body), 300)]))
	}
}

// passed waits until n more calls were made.
func (l *load) passed(t *testing.T, n int) {
	t.Helper()
	count := func() int { l.mu.Lock(); defer l.mu.Unlock(); return l.calls }
	goal := count() + n
	eventually(t, fmt.Sprintf("%d more calls", n), func() error {
		if have := count(); have < goal {
			return fmt.Errorf("%d are missing", goal-have)
		}
		return nil
	})
}

func (l *load) end() (int, []string) {
	l.stop()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls, l.failed
}
