package app_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	manager "calotype/services/image/app"
	"calotype/services/image/internal/job"
	"calotype/services/image/worker/app"
)

// held is an engine that makes nothing until it is let, or its time is up.
type held struct {
	app.Engine
	begun atomic.Int64
	ended atomic.Int64 // cut off
	let   chan struct{}
}

func hold() *held { return &held{let: make(chan struct{})} }

func (h *held) wrap(real app.Engine) app.Engine {
	h.Engine = real
	return h
}

func (h *held) Render(ctx context.Context, in app.Input, variants []app.Variant, tell func(app.Progress)) ([]app.Rendered, error) {
	h.begun.Add(1)
	select {
	case <-h.let:
		return h.Engine.Render(ctx, in, variants, tell)
	case <-ctx.Done():
		h.ended.Add(1)
		return nil, ctx.Err()
	}
}

// A node that leaves lets finish what runs while there is time, and hands the rest to others at once: nothing waits for a lease, and
// nothing counts as lost, however often it happens.
func TestLeavingHandsBack(t *testing.T) {
	host, n := store(t)
	file := filepath.Join(t.TempDir(), "queue.db")
	cfg := config(t, file)
	cfg.Queue.Lease = time.Minute // whoever waits for it waits too long
	cfg.Queue.MaxDeliveries = 1   // a loss would be the end
	cfg.Drain.Timeout = 400 * time.Millisecond
	q := n.join(t, cfg)
	d := n.keep(t, "photo.jpg")
	const jobs = 6
	for i := range jobs {
		n.ask(t, job.ID(fmt.Sprintf("job_%d", i)), d, variant(t, "a", "w_64,f_jpeg"))
	}
	for range 3 { // nodes that never get done
		e := hold()
		leave := worker(t, cfg, host, app.WithEngine(e.wrap))
		eventually(t, "the slots are in use", func() bool { return e.begun.Load() == 2 })
		began := time.Now()
		if err := leave(); err != nil {
			t.Errorf("leaving: %v", err)
		}
		if e.ended.Load() != 2 || e.begun.Load() != 2 {
			t.Errorf("%d begun, %d cut off", e.begun.Load(), e.ended.Load())
		}
		t.Logf("left in %v", time.Since(began).Round(time.Millisecond))
		if depth, err := q.Depth(t.Context(), job.Tasks); err != nil || depth.Ready != jobs || depth.Leased != 0 {
			t.Errorf("the queue holds %+v, %v", depth, err)
		}
	}
	e := hold()
	cfg.Drain.Timeout = 20 * time.Second
	leave := worker(t, cfg, host, app.WithEngine(e.wrap))
	eventually(t, "another node has them at once", func() bool { return e.begun.Load() == 2 })
	gone := make(chan error, 1)
	go func() { gone <- leave() }()
	eventually(t, "no more is taken", func() bool {
		depth, err := q.Depth(t.Context(), job.Tasks)
		return err == nil && depth.Leased == 2 && depth.Ready == jobs-2
	})
	close(e.let) // within the drain's time
	if err := <-gone; err != nil || e.ended.Load() != 0 {
		t.Errorf("leaving: %v, %d cut off", err, e.ended.Load())
	}
	e = hold()
	close(e.let)
	worker(t, cfg, host, app.WithEngine(e.wrap))
	for i := range jobs {
		reports := n.told(t, job.ID(fmt.Sprintf("job_%d", i)))
		if last := reports[len(reports)-1]; last.Kind != job.Finished {
			t.Errorf("job %d ended with %+v", i, last)
		}
	}
	if depth, err := q.Depth(t.Context(), job.DeadTasks); err != nil || depth.Ready != 0 {
		t.Errorf("set aside: %+v, %v", depth, err)
	}
}

// A cancel reaches the work by way of the manager, and so does the deletion of the image.
func TestCancelReachesTheWork(t *testing.T) {
	host, n := store(t)
	mcfg := manager.DefaultConfig()
	mcfg.Log.Level, mcfg.RPC.Listen = "error", "127.0.0.1:0"
	mcfg.Image.Database, mcfg.Queue.Path = filepath.Join(t.TempDir(), "image.db"), filepath.Join(t.TempDir(), "queue.db")
	m, err := manager.New(mcfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	<-m.Ready()
	e := hold()
	worker(t, config(t, mcfg.Queue.Path), host, app.WithEngine(e.wrap))
	jobs, images := imagev1.NewJobsService(proto.Image, host.Client()), imagev1.NewImagesService(proto.Image, host.Client())
	d := n.keep(t, "photo.jpg")
	for name, end := range map[string]func(*imagev1.Image, *imagev1.Job) error{
		"cancelled": func(_ *imagev1.Image, j *imagev1.Job) error {
			_, err := jobs.Cancel(t.Context(), &imagev1.CancelJobRequest{Id: j.GetId()})
			return err
		},
		"deleted": func(im *imagev1.Image, _ *imagev1.Job) error {
			_, err := images.Delete(t.Context(), &imagev1.DeleteImageRequest{Id: im.GetId()})
			return err
		},
	} {
		begun, ended := e.begun.Load(), e.ended.Load()
		im, err := images.Create(t.Context(), &imagev1.CreateImageRequest{Digest: string(d), Variants: []string{"a:w_64,f_jpeg"}})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the work begins", func() bool { return e.begun.Load() > begun })
		watched := time.NewTimer(300 * time.Millisecond)
		<-watched.C // it is watched by then, and in the middle of a poll
		began := time.Now()
		if err := end(im.GetImage(), im.GetJob()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the work ends", func() bool { return e.ended.Load() > ended })
		took := time.Since(began)
		t.Logf("%s: the work ended after %v", name, took.Round(time.Millisecond))
		if took > time.Second { // by asking now and then it would be 1.7 s
			t.Errorf("%s: the work ended only after %v", name, took)
		}
	}
}
