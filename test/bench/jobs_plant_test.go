package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gateway "calotype/gateway/app"
	"calotype/kit/boot"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
	image "calotype/services/image/app"
	"calotype/services/image/app/queue"
	worker "calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
)

const variant = "small:w_64/f_jpeg"

// original is what the only image is of. Nobody looks into it.
var original = []byte("not a picture")

// blank is an engine that makes nothing, and counts how often.
type blank struct {
	worker.Engine
	made *tally
}

func (*blank) Inspect(context.Context, []byte) (worker.Picture, error) {
	return worker.Picture{Format: "png", ContentType: "image/png", Width: 640, Height: 480, Pages: 1, Orientation: 1, Size: int64(len(original))}, nil
}

func (e *blank) Render(_ context.Context, in worker.Input, variants []worker.Variant, _ func(worker.Progress)) (out []worker.Rendered, _ error) {
	for _, v := range variants {
		out = append(out, worker.Rendered{Name: v.Name, Format: "jpeg", ContentType: "image/jpeg", Width: 64, Height: 48, Pages: 1, Data: in.Data})
	}
	e.made.add()
	return out, nil
}

// nowhere is storage that moves no bytes.
type nowhere struct{}

func (nowhere) Open(context.Context, worker.Digest, int64) ([]byte, error) { return original, nil }
func (nowhere) Put(context.Context, worker.Digest, []byte) error           { return nil }

type plantConfig struct {
	postgres, rabbitmq string // empty: embedded
	prefix             string // of the queues
	storage            bool   // originals are read from storage, and results put there
}

// plant is Calotype with all its services in this process, each on its own listener, as `calotype up` has them.
type plant struct {
	jobs    imagev1.JobsClient
	batches imagev1.BatchesClient
	web     *http.Client
	url     string
	images  []string
	posted  atomic.Int64
	made    *tally
}

func newPlant(b *testing.B, cfg plantConfig) *plant {
	b.Helper()
	dir := b.TempDir()
	shared := boot.DefaultConfig()
	shared.Log.Level, shared.RPC.Listen, shared.Ops.Listen, shared.Drain.Wait = "error", "127.0.0.1:0", "", 0
	host, err := boot.NewHost("bench", shared)
	if err != nil {
		b.Fatal(err)
	}
	sc, ic, wc, gc := storage.DefaultConfig(), image.DefaultConfig(), worker.DefaultConfig(), gateway.DefaultConfig()
	sc.Config, ic.Config, wc.Config, gc.Config = shared, shared, shared, shared
	sc.Storage.Root, sc.Storage.MinFree = filepath.Join(dir, "blobs"), 0
	ic.Image.Database, ic.Queue.Path, ic.Queue.Exclusive = filepath.Join(dir, "image.db"), filepath.Join(dir, "queue.db"), true
	if cfg.postgres != "" {
		ic.Image.Store, ic.Image.Postgres.URL, ic.Image.Postgres.Password = image.Postgres, withoutPassword(b, cfg.postgres), "let me in"
	}
	if cfg.rabbitmq != "" {
		ic.Queue.Kind, ic.Queue.RabbitMQ.URLs = queue.RabbitMQ, []string{"amqp://" + cfg.rabbitmq + "/"}
		ic.Queue.RabbitMQ.Prefix = "calotype." + cfg.prefix
	}
	wc.Queue, wc.Worker.Slots = ic.Queue, posters
	gc.HTTP.Listen = "127.0.0.1:0"
	store, err1 := storage.New(sc, host)
	manager, err2 := image.New(ic, host)
	if err := errors.Join(err1, err2); err != nil {
		b.Fatal(err)
	}
	made := newTally()
	opts := []worker.Option{worker.WithEngine(func(e worker.Engine) worker.Engine { return &blank{e, made} })}
	if !cfg.storage {
		opts = append(opts, worker.WithBlobs(nowhere{}))
	}
	if cfg.rabbitmq == "" { // the queue's file has one process
		opts = append(opts, worker.WithQueue(manager.Queue()))
	}
	node, err1 := worker.New(wc, host, opts...)
	edge, err2 := gateway.New(gc, host)
	if err := errors.Join(err1, err2); err != nil {
		b.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	over, ready := make(chan error, 1), make(chan struct{})
	go func() { over <- boot.RunAll(ctx, store, manager, node, edge, announcer(func() { close(ready) })) }()
	b.Cleanup(func() {
		leave()
		if err := errors.Join(<-over, host.Close()); err != nil {
			b.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-over:
		b.Fatalf("Calotype ended before it was ready: %v", err)
	}
	conn := grpcConn(b, manager.Addr())
	return &plant{
		made: made, web: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: posters}}, url: "http://" + edge.Addr(),
		jobs: imagev1.NewJobsClient(conn), batches: imagev1.NewBatchesClient(conn), images: register(b, grpcConn(b, store.Addr()), conn),
	}
}

// register stores the original and registers it as often as a batch has images.
func register(b *testing.B, blobs, images grpc.ClientConnInterface) (ids []string) {
	b.Helper()
	sum := sha256.Sum256(original)
	digest := hex.EncodeToString(sum[:])
	put, err := storagev1.NewStorageClient(blobs).Put(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	err = errors.Join(
		put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{Digest: digest, Size: int64(len(original))}}}),
		put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: original}}))
	if err == nil {
		_, err = put.CloseAndRecv()
	}
	if err != nil {
		b.Fatal(err)
	}
	for range batch {
		made, err := imagev1.NewImagesClient(images).Create(b.Context(), &imagev1.CreateImageRequest{Digest: digest, Filename: "a.png"})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, made.GetImage().GetId())
	}
	return ids
}

// singly posts jobs to the manager itself, or to the gateway, which calls the manager.
func (p *plant) singly(rest bool, uses ...*backend) *contender {
	in := &imagev1.CreateJobRequest{ImageId: p.images[0], Variants: []string{variant}}
	post := func(ctx context.Context) error { _, err := p.jobs.Create(ctx, in); return err }
	if rest {
		post = p.rest("/v1/jobs", in)
	}
	return &contender{post: post, drained: p.drained, uses: uses, posters: posters, batch: 1, posted: &p.posted}
}

// inBatches posts batches in the same ways.
func (p *plant) inBatches(rest bool, uses ...*backend) *contender {
	in := &imagev1.CreateBatchRequest{ImageIds: p.images, Variants: []string{variant}}
	post := func(ctx context.Context) error { _, err := p.batches.Create(ctx, in); return err }
	if rest {
		post = p.rest("/v1/batches", in)
	}
	return &contender{post: post, drained: p.drained, uses: uses, posters: batched, batch: batch, posted: &p.posted}
}

func (p *plant) rest(path string, in proto.Message) func(context.Context) error {
	body, err := protojson.Marshal(in)
	return func(ctx context.Context) error {
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		rsp, err := p.web.Do(req)
		if err != nil {
			return err
		}
		defer rsp.Body.Close()
		answer, err := io.ReadAll(rsp.Body)
		if err == nil && rsp.StatusCode/100 != 2 {
			err = fmt.Errorf("%s: %s", rsp.Status, answer)
		}
		return err
	}
}

// drained returns when no job is queued or running, and fails when one ended badly. It asks as anybody may, but not before the last job
// was worked on: what it asks costs the store something.
func (p *plant) drained(ctx context.Context, posted int64) error {
	if err := p.made.reach(ctx, posted); err != nil {
		return err
	}
	for _, s := range []imagev1.Job_State{
		imagev1.Job_QUEUED, imagev1.Job_RUNNING, imagev1.Job_QUEUED, // again: a job may go back
	} {
		if err := p.none(ctx, s); err != nil {
			return err
		}
	}
	for _, s := range []imagev1.Job_State{imagev1.Job_FAILED, imagev1.Job_DEAD, imagev1.Job_CANCELLED} {
		found, err := p.jobs.List(ctx, &imagev1.ListJobsRequest{State: s, PageSize: 1})
		if err != nil || len(found.GetJobs()) > 0 {
			return fmt.Errorf("a job is %v: %v, %w", s, found, err)
		}
	}
	return nil
}

func (p *plant) none(ctx context.Context, s imagev1.Job_State) error {
	for again := time.NewTicker(jobsPause); ; {
		found, err := p.jobs.List(ctx, &imagev1.ListJobsRequest{State: s, PageSize: 1})
		if err != nil || len(found.GetJobs()) == 0 {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type announcer func()

// withoutPassword is a database's address as a configuration may hold it.
func withoutPassword(b *testing.B, address string) string {
	b.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	u.User = url.User(u.User.Username())
	return u.String()
}

func (a announcer) Run(ctx context.Context) error {
	a()
	<-ctx.Done()
	return nil
}
