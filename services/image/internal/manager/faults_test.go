package manager_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// shakyQueue goes wrong as told, on the way to a real queue.
type shakyQueue struct {
	job.Queue
	away   atomic.Bool  // refuses
	forget atomic.Int64 // publishes so many times, but says it did not
}

func (q *shakyQueue) over(real job.Queue) { q.Queue = real }

func (q *shakyQueue) Publish(ctx context.Context, topic string, ms ...job.Message) error {
	if q.away.Load() {
		return fault.New(fault.Unavailable, "QUEUE_AWAY", "no")
	}
	if err := q.Queue.Publish(ctx, topic, ms...); err != nil {
		return err
	}
	if topic == job.Tasks && q.forget.Add(-1) >= 0 {
		return fault.New(fault.Unavailable, "CONNECTION_LOST", "who knows")
	}
	return nil
}

// shakyStore refuses so many updates, on the way to a real store.
type shakyStore struct {
	job.Store
	refuse atomic.Int64
	with   fault.Kind
}

func (s *shakyStore) over(real job.Store) { s.Store = real }

func (s *shakyStore) Update(ctx context.Context, id job.ID, change func(job.Job) (job.Change, error)) (job.Job, error) {
	if s.refuse.Add(-1) >= 0 {
		return job.Job{}, fault.New(s.with, "STORE_AWAY", "no")
	}
	return s.Store.Update(ctx, id, change)
}

// Accepted while the queue is away: at once, and made once it is back.
func TestQueueAway(t *testing.T) {
	q := &shakyQueue{}
	q.away.Store(true)
	w := begin(t, func(s *setting) { s.parts.Queue = q })
	w.node(succeed)
	a := w.create(thumb())
	eventually(t, "the message waits", func() bool {
		c, err := w.store.Census(t.Context())
		return err == nil && c.Outbox == 1
	})
	q.away.Store(false)
	if j, _ := w.ended(a.Job.ID); j.State != job.Succeeded {
		t.Errorf("ended as %s", j.State)
	}
}

// A relay that dies between publishing and marking publishes again, after the task was done: the job has one end all the same.
func TestRelayDiesBetweenPublishAndMark(t *testing.T) {
	q := &shakyQueue{}
	q.forget.Store(3)
	w := begin(t, func(s *setting) { s.parts.Queue = q })
	var runs atomic.Int64
	w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		runs.Add(1)
		return succeed(d, task, tell)
	})
	a := w.create(thumb())
	j, _ := w.ended(a.Job.ID)
	if j.State != job.Succeeded {
		t.Fatalf("ended as %s", j.State)
	}
	eventually(t, "published four times and marked", func() bool {
		c, err := w.store.Census(t.Context())
		return err == nil && c.Outbox == 0 && q.forget.Load() < 0
	})
	w.settle()
	after, story := w.ended(a.Job.ID)
	if after.Sequence != j.Sequence || len(after.Results) != 2 {
		t.Errorf("after %d runs the job is %+v", runs.Load(), after)
	}
	wantStory(t, story, job.Succeeded)
	if runs.Load() < 2 {
		t.Error("the task was never worked on twice, so nothing was tried")
	}
}

// settle waits until the queue is empty.
func (w *world) settle() {
	w.t.Helper()
	eventually(w.t, "the queue is empty", func() bool {
		for _, topic := range []string{job.Tasks, job.Reports, job.DeadTasks} {
			if d, err := w.queue.Depth(w.t.Context(), topic); err != nil || d.Ready+d.Leased > 0 {
				return false
			}
		}
		return true
	})
}

func TestReportsWaitForTheStore(t *testing.T) {
	for name, kind := range map[string]fault.Kind{"away": fault.Unavailable, "with a defect": fault.Internal} {
		t.Run(name, func(t *testing.T) {
			s := &shakyStore{with: kind}
			s.refuse.Store(5)
			w := begin(t, func(set *setting) { set.parts.Store = s })
			w.node(succeed)
			a := w.create(thumb())
			if j, _ := w.ended(a.Job.ID); j.State != job.Succeeded {
				t.Errorf("ended as %s", j.State)
			}
		})
	}
}

// A manager that stops anywhere is gone on with by the next on the same files.
func TestRestartInTheMiddle(t *testing.T) {
	folder := t.TempDir()
	first := begin(t, in(folder), still) // accepts, and is gone before its relay ran
	req := thumb()
	req.Key = "k"
	a := first.create(req)
	first.close()

	second := begin(t, in(folder), still) // relays, and is gone before a report came
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- second.Relay.Run(ctx) }()
	eventually(t, "the task is in the queue", func() bool {
		d, err := second.queue.Depth(t.Context(), job.Tasks)
		return err == nil && d.Ready == 1
	})
	cancel()
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	stop := second.node(succeed)
	eventually(t, "the reports are in the queue", func() bool {
		d, err := second.queue.Depth(t.Context(), job.Reports)
		return err == nil && d.Ready == 2
	})
	stop()
	second.close()

	third := begin(t, in(folder))
	if again := third.create(req); again.Job.ID != a.Job.ID {
		t.Errorf("the key was forgotten: %s, then %s", a.Job.ID, again.Job.ID)
	}
	_, story := third.ended(a.Job.ID)
	wantStory(t, story, job.Succeeded)
}

func TestDeadLetters(t *testing.T) {
	w := begin(t)
	w.node(func(_ job.Delivery, _ job.Task, tell func(job.Report)) job.Verdict {
		tell(job.Report{Kind: job.Began})
		panic("the picture kills the node")
	})
	a := w.create(thumb())
	j, story := w.ended(a.Job.ID)
	if j.State != job.Dead || j.Failure == nil || j.Failure.Reason != "SET_ASIDE" || j.Ended.IsZero() {
		t.Errorf("ended as %+v, %+v", j, j.Failure)
	}
	t.Logf("%d events; %s", len(story), j.Failure.Message)
	w.settle()
}

func TestWhatIsNoReportIsSetAside(t *testing.T) {
	w := begin(t)
	for topic, body := range map[string]string{job.Reports: "{}", job.DeadTasks: "no JSON"} {
		if err := w.queue.Publish(t.Context(), topic, job.Message{ID: "m", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		eventually(t, topic+" is set aside", func() bool {
			d, err := w.queue.Depth(t.Context(), topic+".dead")
			return err == nil && d.Ready == 1
		})
	}
	// A report on a job that nobody knows is done with.
	if err := w.queue.Publish(t.Context(), job.Reports, job.Message{ID: "m2", Body: []byte(`{"job":"job_none","run":1,"kind":"finished"}`)}); err != nil {
		t.Fatal(err)
	}
	w.settle()
}

// Two managers on the same files: what the one does, the other's watcher hears by its poll, from the event it asks for on.
func TestWatchAcrossManagersAndFromTheMiddle(t *testing.T) {
	folder := t.TempDir()
	a, b := begin(t, in(folder), still), begin(t, in(folder))
	made := a.create(thumb())
	var (
		mu   sync.Mutex
		seen []job.Event
	)
	over := make(chan error, 1)
	go func() {
		over <- a.Jobs.Watch(t.Context(), made.Job.ID, 1, func(e job.Event) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, e)
			return nil
		})
	}()
	b.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		if d.Attempt == 1 {
			tell(job.Report{Kind: job.Began})
			tell(job.Report{Kind: job.Postpone, Failure: &job.Failure{Reason: "STORAGE_AWAY"}})
			return job.Again(time.Millisecond)
		}
		return succeed(d, task, tell)
	})
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 || seen[0].Sequence != 2 || seen[len(seen)-1].State != job.Succeeded {
		t.Fatalf("seen %+v", seen)
	}
	for i, e := range seen {
		if e.Sequence != int64(i+2) {
			t.Errorf("event %d has sequence %d", i, e.Sequence)
		}
	}
	// From the last on, there is nothing more and no wait; from in between, the rest.
	for after, want := range map[int64]int{0: len(seen) + 1, seen[len(seen)-1].Sequence: 0, 2: len(seen) - 1, 1000: 0} {
		n := 0
		if err := b.Jobs.Watch(t.Context(), made.Job.ID, after, func(job.Event) error { n++; return nil }); err != nil || n != want {
			t.Errorf("after %d came %d events, %v, want %d", after, n, err, want)
		}
	}
}
