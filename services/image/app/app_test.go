package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"calotype/kit/boot"
	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/image/app"
	"calotype/services/image/internal/job"
)

// nodes plays the workers: it looks at blobs over RPC, and works on tasks of the queue until it is stopped.
type nodes struct{ imagev1.TransformerHandler }

func (nodes) Inspect(_ context.Context, in *imagev1.InspectRequest, out *imagev1.InspectResponse) error {
	if strings.HasPrefix(in.GetDigest(), "bad") {
		return fault.New(fault.Invalid, "UNSUPPORTED_FORMAT", "the content is no image")
	}
	out.Format, out.ContentType, out.Width, out.Height, out.Pages, out.Size, out.Orientation = "png", "image/png", 640, 480, 1, 777, 1
	out.HasAlpha = true
	return nil
}

func (nodes) Transform(context.Context, *imagev1.TransformRequest, imagev1.Transformer_TransformStream) error {
	return fault.New(fault.Unavailable, "", "not played")
}

// blobs plays storage: whatever is touched is there.
type blobs struct{ storagev1.StorageHandler }

func (blobs) Touch(_ context.Context, in *storagev1.TouchRequest, out *storagev1.Blob) error {
	out.Digest = in.GetDigest()
	return nil
}

// running is the real manager in this process, and played nodes and storage beside it.
type running struct {
	*app.App
	host   *boot.Host
	images imagev1.ImagesService
	jobs   imagev1.JobsService
	stop   func() error
}

func start(t *testing.T, folder string, change ...func(*app.Config)) running {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Log.Level = "error"
	cfg.RPC.Listen = "127.0.0.1:0"
	cfg.Health.Interval = 10 * time.Millisecond
	cfg.Image.Database, cfg.Queue.Path = filepath.Join(folder, "image.db"), filepath.Join(folder, "queue.db")
	for _, c := range change {
		c(&cfg)
	}
	host, err := boot.NewHost(proto.Image, cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := host.NewService(proto.Worker, cfg.Service(), func(s server.Server) error {
		return imagev1.RegisterTransformerHandler(s, nodes{})
	})
	if err != nil {
		t.Fatal(err)
	}
	storage, err := host.NewService(proto.Storage, cfg.Service(), func(s server.Server) error {
		return storagev1.RegisterStorageHandler(s, blobs{})
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- boot.RunAll(ctx, worker, storage, a) }()
	r := running{App: a, host: host, images: imagev1.NewImagesService(proto.Image, host.Client()), jobs: imagev1.NewJobsService(proto.Image, host.Client())}
	r.stop = sync.OnceValue(func() error {
		leave()
		return errors.Join(<-over, host.Close())
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	select {
	case <-a.Ready():
	case err := <-over:
		t.Fatalf("ended before it was ready: %v", err)
	}
	return r
}

// work takes tasks until the test ends.
func (r running) work(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() {
		over <- r.Queue().Consume(ctx, job.Tasks, 2, func(ctx context.Context, d job.Delivery) job.Verdict {
			var task job.Task
			if err := json.Unmarshal(d.Body, &task); err != nil {
				t.Errorf("a task cannot be read: %v", err)
			}
			report := job.Report{Job: task.Job, Run: task.Run, Attempt: d.Attempt, Kind: job.Finished, Node: "played", Time: time.Now()}
			for _, v := range task.Recipe.Variants {
				report.Results = append(report.Results, job.Result{Name: v.Name, Key: "key", Digest: task.Original, Size: 5, Format: "webp",
					ContentType: "image/webp", Width: 20, Height: 10, Pages: 1})
			}
			body, _ := json.Marshal(report)
			if err := r.Queue().Publish(ctx, job.Reports, job.Message{ID: report.MessageID(), Body: body}); err != nil {
				t.Errorf("a report cannot be told: %v", err)
			}
			return job.Done()
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("the node: %v", err)
		}
	})
}

const digest = "00000000000000000000000000000000000000000000000000000000000000aa"

func TestOverTheWire(t *testing.T) {
	r := start(t, t.TempDir())
	r.work(t)
	in := &imagev1.CreateImageRequest{Digest: digest, Filename: "a.png", Preset: "thumb", IdempotencyKey: "k"}
	made, err := r.images.Create(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	im, j := made.GetImage(), made.GetJob()
	if im.GetFormat() != "png" || im.GetWidth() != 640 || !im.GetHasAlpha() || im.GetSize() != 777 || im.GetCreateTime().AsTime().IsZero() ||
		j.GetState() == imagev1.Job_STATE_UNSPECIFIED || j.GetStartTime() != nil || len(j.GetRecipe().GetVariants()) != 2 {
		t.Errorf("made %v", made)
	}
	events, err := r.jobs.Watch(t.Context(), &imagev1.WatchJobRequest{Id: j.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	var last *imagev1.JobEvent
	for n := int64(1); ; n++ {
		e, err := events.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.GetSequence() != n || e.GetJobId() != j.GetId() {
			t.Errorf("event %d is %v", n, e)
		}
		last = e
	}
	if last.GetState() != imagev1.Job_SUCCEEDED || last.GetNode() != "played" {
		t.Errorf("the last event is %v", last)
	}
	got, err := r.jobs.Get(t.Context(), &imagev1.GetJobRequest{Id: j.GetId()})
	if err != nil || got.GetState() != imagev1.Job_SUCCEEDED || len(got.GetResults()) != 2 || got.GetEndTime() == nil || got.GetPreset() != "thumb" {
		t.Errorf("got %v, %v", got, err)
	}
	v, err := r.images.GetVariant(t.Context(), &imagev1.GetVariantRequest{ImageId: im.GetId(), Name: "thumb"})
	if err != nil || v.GetDigest() != digest || v.GetWidth() != 20 {
		t.Errorf("variant %v, %v", v, err)
	}
	p, err := r.images.Plan(t.Context(), &imagev1.PlanRequest{ImageId: im.GetId(), Options: "w_99", Extension: "webp"})
	if err != nil || p.GetVariant().GetOutput().GetFormat() != "webp" || len(p.GetKey()) != 64 || p.GetVariant().GetOperations()[0].GetResize().GetWidth() != 99 {
		t.Errorf("plan %v, %v", p, err)
	}
	listed, err := r.jobs.List(t.Context(), &imagev1.ListJobsRequest{ImageId: im.GetId(), State: imagev1.Job_SUCCEEDED})
	if err != nil || len(listed.GetJobs()) != 1 || listed.GetNextPageToken() != "" {
		t.Errorf("listed %v, %v", listed, err)
	}
	presets, err := r.images.ListPresets(t.Context(), &imagev1.ListPresetsRequest{})
	if err != nil || len(presets.GetPresets()) != 4 {
		t.Errorf("presets %v, %v", presets, err)
	}
	if _, err := r.images.Delete(t.Context(), &imagev1.DeleteImageRequest{Id: im.GetId()}); err != nil {
		t.Error(err)
	}
	page, err := r.images.List(t.Context(), &imagev1.ListImagesRequest{})
	if err != nil || len(page.GetImages()) != 0 {
		t.Errorf("images after deletion: %v, %v", page, err)
	}
}

// What is wrong reaches an ordinary gRPC client as an ordinary status.
func TestFaultsOverTheWire(t *testing.T) {
	r := start(t, t.TempDir())
	conn, err := grpc.NewClient(r.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	images, jobs := imagev1.NewImagesClient(conn), imagev1.NewJobsClient(conn)
	ctx := t.Context()
	bad := strings.Replace(digest, "000", "bad", 1)
	made, err := images.Create(ctx, &imagev1.CreateImageRequest{Digest: digest, Preset: "thumb", IdempotencyKey: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call func() error
		code codes.Code
		word string
	}{
		"no image": {func() error { _, err := images.Get(ctx, &imagev1.GetImageRequest{Id: "img_none"}); return err }, codes.NotFound, "IMAGE_NOT_FOUND"},
		"no job":   {func() error { _, err := jobs.Get(ctx, &imagev1.GetJobRequest{Id: "job_none"}); return err }, codes.NotFound, "JOB_NOT_FOUND"},
		"not ready": {func() error {
			_, err := images.GetVariant(ctx, &imagev1.GetVariantRequest{ImageId: made.GetImage().GetId(), Name: "thumb"})
			return err
		}, codes.NotFound, "VARIANT_NOT_READY"},
		"bad bytes": {func() error { _, err := images.Create(ctx, &imagev1.CreateImageRequest{Digest: bad}); return err }, codes.InvalidArgument, "UNSUPPORTED_FORMAT"},
		"key reused": {func() error {
			_, err := images.Create(ctx, &imagev1.CreateImageRequest{Digest: digest, IdempotencyKey: "k"})
			return err
		}, codes.FailedPrecondition, "IDEMPOTENCY_KEY_REUSED"},
		"bad recipe": {func() error {
			_, err := jobs.Create(ctx, &imagev1.CreateJobRequest{ImageId: made.GetImage().GetId(), Recipe: &imagev1.Recipe{}})
			return err
		}, codes.InvalidArgument, "BAD_RECIPE"},
		"bad state": {func() error { _, err := jobs.List(ctx, &imagev1.ListJobsRequest{State: 99}); return err }, codes.InvalidArgument, "BAD_STATE"},
		"retry": {func() error {
			_, err := jobs.Retry(ctx, &imagev1.RetryJobRequest{Id: made.GetJob().GetId()})
			return err
		}, codes.FailedPrecondition, "JOB_NOT_ENDED"},
		"watch": {func() error {
			s, err := jobs.Watch(ctx, &imagev1.WatchJobRequest{Id: "job_none"})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}, codes.NotFound, "JOB_NOT_FOUND"},
	} {
		err := c.call()
		if status.Code(err) != c.code || !strings.Contains(status.Convert(err).Proto().String(), c.word) {
			t.Errorf("%s: %v, want %v with %s", name, status.Convert(err).Proto(), c.code, c.word)
		}
	}
}

// A watcher is sent elsewhere when its node leaves, and does not hold the drain up; the next manager goes on where this one stood.
func TestDrainAndRestart(t *testing.T) {
	folder := t.TempDir()
	first := start(t, folder)
	made, err := first.images.Create(t.Context(), &imagev1.CreateImageRequest{Digest: digest, Preset: "thumb"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(first.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	events, err := imagev1.NewJobsClient(conn).Watch(t.Context(), &imagev1.WatchJobRequest{Id: made.GetJob().GetId()})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := events.Recv()
	if err != nil || seen.GetSequence() != 1 {
		t.Fatalf("first came %v, %v", seen, err)
	}
	began := time.Now()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the drain took %v", took)
	}
	if _, err := events.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(status.Convert(err).Proto().String(), "DRAINING") {
		t.Errorf("the watch ended with %v", err)
	}

	second := start(t, folder)
	second.work(t)
	rest, err := second.jobs.Watch(t.Context(), &imagev1.WatchJobRequest{Id: made.GetJob().GetId(), AfterSequence: seen.GetSequence()})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := rest.Recv(); err != nil || e.GetSequence() != 2 || e.GetState() != imagev1.Job_SUCCEEDED {
		t.Errorf("then came %v, %v", e, err)
	}
}

func TestOperations(t *testing.T) {
	r := start(t, t.TempDir())
	if _, err := r.images.Create(t.Context(), &imagev1.CreateImageRequest{Digest: digest, Preset: "thumb"}); err != nil {
		t.Fatal(err)
	}
	ask := func(path string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.host.OpsAddr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		rsp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rsp.Body.Close() }()
		b, err := io.ReadAll(rsp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return rsp.Status + "\n" + string(b)
	}
	if got := ask("/metrics"); !strings.Contains(got, `calotype_jobs{state="queued"} 1`) || !strings.Contains(got, "calotype_outbox_messages ") {
		t.Errorf("metrics lack jobs:\n%s", got)
	}
	if got := ask("/readyz"); !strings.HasPrefix(got, "200") || !strings.Contains(got, "image-store") {
		t.Errorf("readiness: %s", got)
	}
}

func TestConfig(t *testing.T) {
	cfg := app.DefaultConfig()
	cfg.Queue.Kind, cfg.Queue.Path, cfg.Image.Database, cfg.Image.KeepKeys = "carrier pigeon", "", "", 0
	var paths []string
	for _, f := range append(cfg.Queue.Validate(), cfg.Image.Validate()...) {
		paths = append(paths, f.Path)
	}
	if got := strings.Join(paths, " "); got != "kind keep_keys database" {
		t.Errorf("faults at %q", got)
	}
	if cfg = app.DefaultConfig(); len(cfg.Queue.Validate())+len(cfg.Image.Validate())+len(cfg.Image.Presets.Validate()) > 0 {
		t.Error("the defaults are faulty")
	}
}

// Presets in the file stand beside the built-in ones; one without variants switches a built-in one off.
func TestPresetsFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calotype.yaml")
	text := "image:\n  presets:\n    banner:\n      description: A wide strip.\n      variants: [\"strip:w_1200,h_200,c_fill\"]\n    hero:\n      variants: []\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := app.DefaultConfig()
	if err := config.Load(&cfg, config.Sources{File: file}); err != nil {
		t.Fatal(err)
	}
	presets, err := cfg.Image.Presets.Compile()
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "banner card thumb web" || err != nil {
		t.Errorf("presets %s, %v", got, err)
	}
}
