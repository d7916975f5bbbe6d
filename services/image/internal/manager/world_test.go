package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/kit/leader"
	"calotype/kit/registry"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/litequeue"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/sqlite"
)

// world is a manager on a real store and a real queue in one folder. Only the nodes are played.
type world struct {
	*manager.Manager
	t     *testing.T
	store *sqlite.Store
	queue *litequeue.Queue
	look  *inspector
	shelf *shelf
	stop  func() // ends what runs in the background
	close func() // and closes the files
}

// setting is what a test changes before a world begins.
type setting struct {
	folder string
	cfg    manager.Config
	parts  manager.Parts
	still  bool // nothing runs in the background
}

func begin(t *testing.T, change ...func(*setting)) *world {
	t.Helper()
	s := setting{folder: t.TempDir(), cfg: manager.DefaultConfig()}
	s.cfg.WatchPoll = 20 * time.Millisecond
	for _, f := range change {
		f(&s)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(s.folder, "image.db"))
	if err != nil {
		t.Fatal(err)
	}
	lite := litequeue.DefaultConfig()
	lite.Path, lite.Poll = filepath.Join(s.folder, "queue.db"), 10*time.Millisecond
	queue, err := litequeue.Open(lite, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	presets, err := recipe.DefaultPresets().Compile()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: store, queue: queue, look: &inspector{}, shelf: &shelf{}}
	p := s.parts
	p.Presets, p.Inspector, p.Blobs, p.Log = presets, w.look, w.shelf, slog.New(slog.DiscardHandler)
	elector, err := leader.New(leader.Config{Kind: leader.Local, TTL: time.Second, Prefix: "p"}, registry.Config{},
		leader.Process{Service: "s", Node: "n", Log: p.Log, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	p.Elector = elector
	if p.Tracer == nil {
		p.Tracer = opentracing.NoopTracer{}
	}
	if p.Store == nil {
		p.Store = store
	} else {
		p.Store.(interface{ over(job.Store) }).over(store)
	}
	if p.Queue == nil {
		p.Queue = queue
	} else {
		p.Queue.(interface{ over(job.Queue) }).over(queue)
	}
	w.Manager = manager.New(s.cfg, p)

	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	if !s.still {
		for _, run := range []func(context.Context) error{w.Relay.Run, w.Reports.Run, w.DeadLetters.Run, w.Upkeep.Run} {
			g.Go(func() error { return run(ctx) })
		}
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Errorf("in the background: %v", err)
		}
	})
	w.close = sync.OnceFunc(func() {
		w.stop()
		if err := queue.Close(); err != nil {
			t.Errorf("closing the queue: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	t.Cleanup(w.close)
	return w
}

// in puts two worlds, one after the other or side by side, on the same files.
func in(folder string) func(*setting) { return func(s *setting) { s.folder = folder } }

func still(s *setting) { s.still = true }

// inspector plays the nodes that look at blobs.
type inspector struct {
	mu    sync.Mutex
	asked int
	err   error
}

func (i *inspector) Inspect(context.Context, job.Digest) (job.Picture, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	return job.Picture{Format: "jpeg", ContentType: "image/jpeg", Width: 400, Height: 300, Pages: 1, Orientation: 1, Size: 12345}, i.err
}

func digest(n int) job.Digest { return job.Digest(fmt.Sprintf("%064x", n)) }

func (w *world) create(req manager.CreateImage) manager.Accepted {
	w.t.Helper()
	if req.Digest == "" {
		req.Digest = digest(1)
	}
	a, err := w.Images.Create(w.t.Context(), req)
	if err != nil {
		w.t.Fatalf("creating: %v", err)
	}
	return a
}

func thumb() manager.CreateImage { return manager.CreateImage{Work: manager.Work{Preset: "thumb"}} }

// node plays a worker until the test or the world ends: act decides what becomes of a task, by telling reports.
func (w *world) node(act func(d job.Delivery, t job.Task, tell func(job.Report)) job.Verdict) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- w.queue.Consume(ctx, job.Tasks, 4, func(ctx context.Context, d job.Delivery) job.Verdict {
			var t job.Task
			if err := json.Unmarshal(d.Body, &t); err != nil {
				w.t.Errorf("a task cannot be read: %v", err)
			}
			return act(d, t, func(r job.Report) {
				r.Job, r.Run, r.Attempt, r.Node, r.Time = t.Job, t.Run, d.Attempt, "played", time.Now()
				body, _ := json.Marshal(r)
				if err := w.queue.Publish(ctx, job.Reports, job.Message{ID: r.MessageID(), Headers: d.Headers, Body: body}); err != nil {
					w.t.Errorf("a report cannot be told: %v", err)
				}
			})
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the node: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// succeed is a node's act: all is made at the first try.
func succeed(_ job.Delivery, t job.Task, tell func(job.Report)) job.Verdict {
	tell(job.Report{Kind: job.Began})
	tell(job.Report{Kind: job.Finished, Results: made(t)})
	return job.Done()
}

// playSuccess is succeed without a world around it.
func playSuccess(ctx context.Context, t testing.TB, q job.Queue, d job.Delivery) job.Verdict {
	var task job.Task
	if err := json.Unmarshal(d.Body, &task); err != nil {
		t.Errorf("a task cannot be read: %v", err)
	}
	r := job.Report{Job: task.Job, Run: task.Run, Attempt: d.Attempt, Kind: job.Finished, Node: "played", Time: time.Now(), Results: made(task)}
	body, _ := json.Marshal(r)
	if err := q.Publish(ctx, job.Reports, job.Message{ID: r.MessageID(), Body: body}); err != nil {
		t.Errorf("a report cannot be told: %v", err)
	}
	return job.Done()
}

func made(t job.Task) (all []job.Result) {
	for i, v := range t.Recipe.Variants {
		all = append(all, job.Result{Name: v.Name, Key: recipe.Key(string(t.Original), v, recipe.EngineVersion), Digest: digest(1000 + i),
			Size: 99, Format: string(v.Output.Format), ContentType: v.Output.Format.ContentType(), Width: 10, Height: 10, Pages: 1})
	}
	return all
}

// ended watches a job to its end and gives its story.
func (w *world) ended(id job.ID) (job.Job, []job.Event) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	var story []job.Event
	if err := w.Jobs.Watch(ctx, id, 0, func(e job.Event) error { story = append(story, e); return nil }); err != nil {
		w.t.Fatalf("watching %s: %v; so far %+v", id, err, story)
	}
	j, err := w.Jobs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j, story
}

// wantStory checks a story of one attempt: queued, then running unless that report was overtaken, then one end.
func wantStory(t *testing.T, story []job.Event, end job.State) {
	t.Helper()
	var states []job.State
	for _, e := range story {
		states = append(states, e.State)
	}
	if !slices.Equal(states, []job.State{job.Queued, job.Running, end}) && !slices.Equal(states, []job.State{job.Queued, end}) {
		t.Errorf("the story is %v", states)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(20 * time.Second); !holds(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func wantFault(t *testing.T, what string, err error, k fault.Kind, reason string) {
	t.Helper()
	if err == nil || !fault.Is(err, k) || fault.ReasonOf(err) != reason {
		t.Errorf("%s: %v (%v, %s), want %v, %s", what, err, fault.KindOf(err), fault.ReasonOf(err), k, reason)
	}
}
