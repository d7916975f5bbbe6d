package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"calotype/kit/boot"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/app/queue"
	"calotype/services/image/internal/blobclient"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
)

// node is a real worker with a real storage service and the embedded queue, in this process.
type node struct {
	blobs *blobclient.Store
	queue queue.Queue
	calls imagev1.TransformerClient
	leave func()
}

func start(t *testing.T) node {
	t.Helper()
	store := storage.DefaultConfig()
	store.RPC.Listen, store.Storage.Root, store.Storage.MinFree = "127.0.0.1:0", t.TempDir(), 0
	cfg := app.DefaultConfig()
	cfg.Log.Level, cfg.RPC.Listen, cfg.Ops.Listen = "error", "127.0.0.1:0", ""
	cfg.Queue.Path = filepath.Join(t.TempDir(), "queue.db")
	cfg.Worker.Backoff = time.Millisecond
	host, err := boot.NewHost(proto.Worker, cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(cfg.Queue, host.Log) // as the manager in another process does
	if err != nil {
		t.Fatal(err)
	}
	s, err := storage.New(store, host)
	if err != nil {
		t.Fatal(err)
	}
	w, err := app.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- boot.RunAll(ctx, s, w) }()
	n := node{blobs: blobclient.New(host.Client()), queue: q}
	n.leave = func() {
		leave()
		if err := errors.Join(<-done, q.Close(), host.Close()); err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(func() {
		select {
		case <-done: // it left already
		default:
			n.leave()
		}
	})
	select {
	case <-w.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(w.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	n.calls = imagev1.NewTransformerClient(conn)
	return n
}

// keep stores a test picture.
func (n node) keep(t *testing.T, name string) job.Digest {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../../test/pictures", name))
	if err != nil {
		t.Fatal(err)
	}
	return n.keepBytes(t, data)
}

func (n node) keepBytes(t *testing.T, data []byte) job.Digest {
	t.Helper()
	sum := sha256.Sum256(data)
	d := job.Digest(hex.EncodeToString(sum[:]))
	if err := n.blobs.Put(t.Context(), d, data); err != nil {
		t.Fatal(err)
	}
	return d
}

// store runs storage and keeps the test's pictures there.
func store(t *testing.T) (*boot.Host, node) {
	t.Helper()
	cfg := storage.DefaultConfig()
	cfg.Log.Level = "error"
	cfg.RPC.Listen, cfg.Storage.Root, cfg.Storage.MinFree = "127.0.0.1:0", t.TempDir(), 0
	host, err := boot.NewHost(proto.Storage, cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := storage.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-over, host.Close()); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return host, node{blobs: blobclient.New(host.Client())}
}

func config(t *testing.T, file string) app.Config {
	cfg := app.DefaultConfig()
	cfg.Log.Level, cfg.RPC.Listen, cfg.Ops.Listen = "error", "127.0.0.1:0", ""
	cfg.Queue.Path = file
	cfg.Worker.Slots, cfg.Worker.Backoff = 2, time.Millisecond
	t.Helper()
	return cfg
}

// worker runs one of several nodes on one queue. They share the host, as no two nodes do but for its metrics.
func worker(t *testing.T, cfg app.Config, h *boot.Host, options ...app.Option) (leave func() error) {
	t.Helper()
	h.Metrics = prometheus.NewRegistry()
	a, err := app.New(cfg, h, options...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- a.Run(ctx) }()
	leave = sync.OnceValue(func() error {
		cancel()
		return <-over
	})
	t.Cleanup(func() {
		if err := leave(); err != nil {
			t.Error(err)
		}
	})
	<-a.Ready()
	return leave
}

// join gives a node's test the queue of a configuration, as the manager in another process has it.
func (n *node) join(t *testing.T, cfg app.Config) job.Queue {
	t.Helper()
	q, err := queue.Open(cfg.Queue, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	n.queue = q
	return q
}

func (n node) ask(t *testing.T, id job.ID, d job.Digest, variants ...recipe.Variant) {
	t.Helper()
	task := job.Task{Job: id, Run: 1, Original: d, Recipe: recipe.Recipe{Variants: variants}}
	body, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.queue.Publish(t.Context(), job.Tasks, job.Message{ID: task.MessageID(), Body: body}); err != nil {
		t.Fatal(err)
	}
}

func variant(t *testing.T, name, options string) recipe.Variant {
	t.Helper()
	v, err := recipe.Parse(options)
	if err != nil {
		t.Fatal(err)
	}
	v.Name = name
	return v
}

// told collects what the node reports of a job until it is decided, and leaves other jobs' reports where they are.
func (n node) told(t *testing.T, id job.ID) (reports []job.Report) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_ = n.queue.Consume(ctx, job.Reports, 1, func(_ context.Context, d job.Delivery) job.Verdict {
		told, err := job.ReadReports(d.Message)
		if err != nil {
			t.Error(err)
		}
		for _, one := range told {
			switch r := one.Report; {
			case r.Job != id && len(told) == 1:
				return job.Again(20 * time.Millisecond)
			case r.Job != id:
				m, err := job.ReportsMessage(one)
				if err := errors.Join(err, n.queue.Publish(context.WithoutCancel(ctx), job.Reports, m)); err != nil {
					t.Error(err)
				}
			default:
				if reports = append(reports, r); r.Kind == job.Finished || r.Kind == job.GaveUp {
					cancel()
				}
			}
		}
		return job.Done()
	})
	if len(reports) == 0 {
		t.Fatalf("nothing was told of %s", id)
	}
	return reports
}

func reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.Tick(time.Millisecond); !ok(); <-tick {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
