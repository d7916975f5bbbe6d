package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gateway "calotype/gateway/app"
	"calotype/kit/boot"
	"calotype/proto"
	image "calotype/services/image/app"
	worker "calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
	"calotype/test/servers"
)

// patience bounds every wait. It is generous because these machines are slow, and costs nothing when all is well.
const patience = 90 * time.Second

const (
	project = "calotype"     // of compose
	asPart  = "LOGS_TEST_AS" // has this binary be a service, so that none need be built
)

func TestMain(m *testing.M) {
	switch part := os.Getenv(asPart); part {
	case "":
		os.Exit(m.Run())
	case "storage":
		boot.MainOf(proto.Storage, storage.DefaultConfig(), storage.New)
	case "image-manager":
		boot.MainOf(proto.Image, image.DefaultConfig(), image.New)
	case "image-worker":
		boot.MainOf(proto.Worker, worker.DefaultConfig(), func(cfg worker.Config, host *boot.Host) (*worker.App, error) { return worker.New(cfg, host) })
	case "gateway":
		boot.MainOf(proto.Gateway, gateway.DefaultConfig(), gateway.New)
	default:
		fmt.Fprintln(os.Stderr, "there is no part called "+part)
		os.Exit(2)
	}
}

// cluster is one of each service, as a process in a container of its own, found through a real Consul, behind a real Nginx.
type cluster struct {
	t      *testing.T
	engine *engine
	env    []string            // of all
	own    map[string][]string // of one
	base   string              // Nginx
	grpc   string              // Nginx, for gRPC
	blobs  string              // storage's folder
	nodes  map[string]*node
	client http.Client
}

// node is a service's process, and where its lines go.
type node struct {
	*servers.Process
	container *container
	ended     <-chan struct{}
}

func start(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, engine: &engine{t: t, folder: t.TempDir()}, nodes: map[string]*node{}}
	data := t.TempDir()
	c.blobs = filepath.Join(data, "blobs")
	c.env = []string{
		"CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES=" + servers.NewConsul(t).Addr, "CALOTYPE_TRACING__SAMPLER=none",
		"CALOTYPE_LOG__LEVEL=debug", "CALOTYPE_LOG__FORMAT=json", "CALOTYPE_DRAIN__WAIT=0s",
	}
	queue := "CALOTYPE_QUEUE__PATH=" + filepath.Join(data, "queue.db")
	c.own = map[string][]string{
		"storage":       {"CALOTYPE_STORAGE__ROOT=" + c.blobs, "CALOTYPE_STORAGE__MIN_FREE=0"},
		"image-manager": {queue, "CALOTYPE_IMAGE__DATABASE=" + filepath.Join(data, "image.db"), "CALOTYPE_IMAGE__WEBHOOKS__KEEP_SECRET="},
		"image-worker":  {queue, "CALOTYPE_WORKER__ORIGINALS__MEMORY=0"}, // so that it misses what storage has lost
		"gateway":       {"CALOTYPE_HTTP__LISTEN=127.0.0.1:0"},
	}
	for _, name := range []string{"storage", "image-manager", "image-worker", "gateway"} {
		c.run(name, 1)
	}
	c.edge()
	return c
}

// run starts a service's nth container.
func (c *cluster) run(name string, n int) {
	c.t.Helper()
	self, err := os.Executable()
	c.must(err)
	c.node(name, n, self, append(c.own[name], asPart+"="+name, "CALOTYPE_RPC__LISTEN=127.0.0.1:0")...)
}

func (c *cluster) node(name string, n int, program string, env ...string) {
	c.t.Helper()
	ops := servers.FreePort(c.t)
	box := c.engine.container(fmt.Sprintf("calotype-%s-%d", name, n), name, project)
	out, ended := box.output()
	c.t.Cleanup(func() {
		if lines := c.engine.lines(); c.t.Failed() {
			lines = slices.DeleteFunc(lines, func(l Line) bool { return l.Text("container.name") != box.name })
			c.t.Logf("the last of %s: %v", box.name, lines[max(0, len(lines)-5):])
		}
	})
	p := servers.Run(c.t, servers.Program{Path: program, Env: append(append(slices.Clone(c.env), "CALOTYPE_OPS__LISTEN="+ops), env...), Output: out,
		Ready: func(ctx context.Context, _ *servers.Process) error {
			_, _, err := c.ask(ctx, http.MethodGet, "http://"+ops+"/readyz", nil)
			return err
		}})
	c.must(out.Close()) // the process has its own
	c.nodes[name] = &node{p, box, ended}
}

// edge runs Nginx and what sees to it.
func (c *cluster) edge() {
	c.t.Helper()
	e := servers.NewEdge(c.t)
	c.base, c.grpc = e.URL, e.GRPC
	c.node("nginx", 1, e.Program, append(e.Env, "CALOTYPE_EDGE__WORKERS=1")...)
}

// stop has every process leave in order, after which its last line is written.
func (c *cluster) stop() {
	c.t.Helper()
	for _, name := range []string{"nginx", "gateway", "image-worker", "image-manager", "storage"} {
		c.nodes[name].leave()
	}
}

func (n *node) leave() {
	n.Stop()
	<-n.ended
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// ask fails for any answer that is an error.
func (c *cluster) ask(ctx context.Context, method, url string, body []byte, header ...string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", http.DetectContentType(body))
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rsp, err := c.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err == nil && rsp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, url, rsp.Status, text)
	}
	return text, rsp.Header, err
}

// eventually asks again until there is no error.
func eventually(t *testing.T, what string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	var before error
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v, and before: %v", what, patience, err, before)
		case <-again.C:
			before = err
		}
	}
}

// upload has a photograph processed by a job, under a request id, and gives the trace's id, and the image's and the job's when that has succeeded.
func (c *cluster) upload(request string) (trace, image, job string) {
	c.t.Helper()
	photo, err := os.ReadFile("../pictures/photo.jpg")
	c.must(err)
	var made struct{ Image, Job struct{ ID string } }
	eventually(c.t, "an upload", func(ctx context.Context) error {
		text, header, err := c.ask(ctx, http.MethodPost, c.base+"/v1/images?preset=thumb", photo, "X-Request-Id", request)
		if err != nil {
			return err
		}
		trace = header.Get("X-Trace-Id")
		return json.Unmarshal(text, &made)
	})
	c.ended(made.Job.ID, "SUCCEEDED")
	return trace, made.Image.ID, made.Job.ID
}

// fail asks for more of an image whose bytes are no longer there, and returns when the job has failed.
func (c *cluster) fail(image, request string) {
	c.t.Helper()
	c.must(os.RemoveAll(filepath.Join(c.blobs, "blobs")))
	var made struct{ ID string }
	eventually(c.t, "a job", func(ctx context.Context) error {
		order := fmt.Sprintf(`{"image_id": %q, "preset": "card"}`, image)
		text, _, err := c.ask(ctx, http.MethodPost, c.base+"/v1/jobs", []byte(order), "X-Request-Id", request, "Content-Type", "application/json")
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &made)
	})
	c.ended(made.ID, "FAILED")
}

func (c *cluster) ended(job, state string) {
	c.t.Helper()
	eventually(c.t, "its job", func(ctx context.Context) error {
		text, _, err := c.ask(ctx, http.MethodGet, c.base+"/v1/jobs/"+job, nil)
		if err == nil && !bytes.Contains(text, []byte(`"`+state+`"`)) {
			err = fmt.Errorf("it is %s", text)
		}
		return err
	})
}
