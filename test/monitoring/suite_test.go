package monitoring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gateway "calotype/gateway/app"
	"calotype/kit/boot"
	kitconfig "calotype/kit/config"
	"calotype/kit/live"
	kitregistry "calotype/kit/registry"
	"calotype/proto"
	greeter "calotype/services/greeter/app"
	image "calotype/services/image/app"
	worker "calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
	"calotype/test/servers"
)

// patience bounds every wait. It is generous because these machines are slow, and costs nothing when all is well.
const patience = 3 * time.Minute

// suite is one node of each kind, each in a host of its own as if in a process of its own, on a real Consul, broker and object store;
// Nginx before them; and storage nodes on plain files, which are nobody's but the metrics'.
type suite struct {
	t       *testing.T
	consul  *servers.ConsulCluster
	hosts   []*boot.Host
	runners []boot.Runner
	base    string // of the gateway
	files   string // where the metrics of storage on plain files are, host:port
	edge    string // and those of Nginx
	client  http.Client
}

func (s *suite) host(name, token string, change ...func(*boot.Config)) (boot.Config, *boot.Host) {
	s.t.Helper()
	cfg := boot.DefaultConfig()
	cfg.Log.Level, cfg.RPC.Listen, cfg.Ops.Listen, cfg.Tracing.Sampler = "error", "127.0.0.1:0", "127.0.0.1:0", "off"
	cfg.Drain.Wait = 0
	if token != "" {
		cfg.Registry.Kind, cfg.Registry.Addresses, cfg.Registry.Token = kitregistry.Consul, s.consul.Addresses(), kitconfig.Secret(s.consul.Tokens[token])
		cfg.Live.Kind = live.Consul
	}
	for _, c := range change {
		c(&cfg)
	}
	h, err := boot.NewHost(name, cfg)
	s.must(err)
	s.hosts = append(s.hosts, h)
	return cfg, h
}

func (s *suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func start(t *testing.T) *suite {
	t.Helper()
	s := &suite{t: t, consul: servers.NewConsulCluster(t, 1)}
	broker, objects, dir := servers.NewRabbitMQ(t), servers.NewS3(t), t.TempDir()

	sc := storage.DefaultConfig()
	common, h := s.host(proto.Storage, "storage")
	sc.Config, sc.Storage.Kind, sc.Storage.S3.Endpoints = common, "s3", []string{objects.Endpoint}
	sc.Storage.S3.AccessKey, sc.Storage.S3.SecretKey = kitconfig.Secret(objects.AccessKey), kitconfig.Secret(objects.SecretKey)
	sc.Storage.S3.Bucket, sc.Storage.S3.CreateBucket = "calotype", true
	store, err := storage.New(sc, h)
	s.must(err)

	fc := storage.DefaultConfig()
	common, h = s.host(proto.Storage, "")
	fc.Config, fc.Storage.Root, fc.Storage.MinFree = common, filepath.Join(dir, "blobs"), 0
	files, err := storage.New(fc, h)
	s.must(err)
	s.files = h.OpsAddr()

	ic := image.DefaultConfig()
	common, h = s.host(proto.Image, "image-manager", func(c *boot.Config) { c.RPC.Shedding.Streams = 1 }) // so that one can be turned away
	ic.Config, ic.Image.Database, ic.Image.Webhooks.KeepSecret = common, filepath.Join(dir, "image.db"), ""
	ic.Queue.Kind, ic.Queue.RabbitMQ.URLs = "rabbitmq", []string{broker.URL}
	manager, err := image.New(ic, h)
	s.must(err)

	wc := worker.DefaultConfig()
	common, h = s.host(proto.Worker, "image-worker")
	wc.Config, wc.Queue.Kind, wc.Queue.RabbitMQ.URLs = common, ic.Queue.Kind, ic.Queue.RabbitMQ.URLs
	// Helper processes, for what is told of them; with the race detector, whose shadow of the memory counts.
	wc.Worker.Isolation.Mode, wc.Worker.Isolation.Memory = isolated, 1<<50
	node, err := worker.New(wc, h)
	s.must(err)

	rc := greeter.DefaultConfig()
	rc.Config, h = s.host(proto.Greeter, "greeter")
	hello, err := greeter.New(rc, h)
	s.must(err)

	gc := gateway.DefaultConfig()
	common, h = s.host(proto.Gateway, "gateway")
	gc.Config, gc.HTTP.Listen = common, "127.0.0.1:0"
	front, err := gateway.New(gc, h)
	s.must(err)
	s.base = "http://" + front.Addr()

	s.runners = []boot.Runner{store, files, manager, node, hello, front}
	s.run(front.Ready())
	s.runEdge(dir)
	return s
}

func (s *suite) run(ready <-chan struct{}) {
	s.t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- boot.RunAll(ctx, s.runners...) }()
	s.t.Cleanup(func() {
		leave()
		err := <-done
		for _, h := range s.hosts {
			err = errors.Join(err, h.Close())
		}
		if err != nil {
			s.t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		s.t.Fatal(err)
	}
}

// runEdge runs what stands before the gateways, with an nginx of its own.
func (s *suite) runEdge(dir string) {
	s.t.Helper()
	e := servers.NewEdge(s.t)
	s.edge = servers.FreePort(s.t)
	servers.Run(s.t, servers.Program{Path: e.Program, Env: append(e.Env,
		"CALOTYPE_EDGE__ACCESS_LOG="+filepath.Join(dir, "access.log"), "CALOTYPE_OPS__LISTEN="+s.edge, "CALOTYPE_TRACING__SAMPLER=off",
		"CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES="+strings.Join(s.consul.Addresses(), ","), "CALOTYPE_REGISTRY__TOKEN="+s.consul.Tokens["nginx"],
	), Ready: func(ctx context.Context, _ *servers.Process) error {
		_, err := s.ask(ctx, http.MethodGet, e.URL+"/readyz", nil)
		return err
	}})
}

// ask fails for any answer that is an error.
func (s *suite) ask(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", http.DetectContentType(body))
		if body[0] == '{' {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	rsp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err == nil && rsp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, url, rsp.Status, text)
	}
	return text, err
}

// eventually asks again until there is no error.
func (s *suite) eventually(what string, ask func(context.Context) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
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
			s.t.Fatalf("%s: not within %v: %v, and before: %v", what, patience, err, before)
		case <-again.C:
			before = err
		}
	}
}
