package job_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

const (
	maxLosses    = 3 // deliveries that a queue lets be lost before it sets a task aside
	lease        = 10 * time.Second
	staleAfter   = 5 * time.Minute // when the reconciler takes a job for lost
	requeueLimit = 5
	attemptLimit = 4 // of workers, on what may pass
)

// letter is a message in the simulated queue.
type letter struct {
	task    *job.Task
	report  *job.Report
	dead    string // why it was set aside; empty for what was not
	due     time.Time
	attempt int
	losses  int
}

// world is a store, a queue, workers and managers in one thread, with a clock and a will of its own.
type world struct {
	*rand.Rand
	now    time.Time
	faults bool
	tell   func(string, ...any)
	tally  tally

	jobs     map[job.ID]job.Job
	ids      []job.ID // in the order of their acceptance
	events   map[job.ID][]job.Event
	webhooks map[job.ID]map[job.WebhookID]bool
	outbox   []job.Task
	queue    []letter
	broken   error
}

func newWorld(seed uint64) *world {
	return &world{
		Rand: rand.New(rand.NewPCG(seed, 2)), now: begin, faults: true, tell: func(string, ...any) {}, tally: tally{},
		jobs: map[job.ID]job.Job{}, events: map[job.ID][]job.Event{}, webhooks: map[job.ID]map[job.WebhookID]bool{},
	}
}

// chance is true once in n times while there are faults.
func (w *world) chance(n int) bool { return w.faults && w.IntN(n) == 0 }

// live runs the world with faults, then without, until nothing is left to do.
func (w *world) live() error {
	for range 120 {
		w.step()
		if w.broken != nil {
			return w.broken
		}
	}
	w.faults = false
	for range 5000 {
		if w.settled() {
			return w.ends()
		}
		w.step()
		if w.broken != nil {
			return w.broken
		}
	}
	return fmt.Errorf("the jobs do not end: %+v", w.jobs)
}

func (w *world) settled() bool {
	for _, j := range w.jobs {
		if !j.State.Ended() {
			return false
		}
	}
	return len(w.outbox) == 0 && len(w.queue) == 0
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.IntN(3000)) * time.Millisecond)
	switch w.IntN(16) {
	case 0:
		w.accept()
	case 1:
		w.wish()
	case 2:
		w.upkeep()
	case 3:
		if w.faults || len(w.queue) == 0 {
			w.now = w.now.Add(time.Duration(w.IntN(4)) * time.Minute)
		}
	case 4, 5, 6:
		w.relay()
	default:
		w.deliver()
	}
}

func (w *world) accept() {
	if !w.faults || len(w.ids) == 6 {
		return
	}
	j := job.Job{ID: job.ID(fmt.Sprintf("job_%d", len(w.ids))), Recipe: recipe.Recipe{Variants: []recipe.Variant{{Name: "a"}, {Name: "b"}}}}
	if w.chance(4) {
		j.NotBefore = w.now.Add(time.Duration(w.IntN(600)-60) * time.Second)
	}
	if w.chance(4) {
		j.Keep = time.Duration(1+w.IntN(300)) * time.Second
	}
	if w.chance(2) {
		j.Webhook = "https://example.org"
	}
	j.MaxAttempts = w.IntN(3)
	next, events := job.Accept(j, w.now)
	w.ids = append(w.ids, j.ID)
	w.webhooks[j.ID] = map[job.WebhookID]bool{}
	w.jobs[j.ID] = job.Job{ID: j.ID}
	w.keep(next, events, next.State == job.Queued)
}

// keep is a transaction: the job, its events, its message and its notices.
func (w *world) keep(next job.Job, events []job.Event, task bool) {
	before := w.jobs[next.ID]
	w.check(before, next, events)
	if len(events) == 0 {
		return
	}
	w.jobs[next.ID] = next
	w.events[next.ID] = append(w.events[next.ID], events...)
	if task {
		w.outbox = append(w.outbox, job.NewTask(next))
	}
	for _, e := range events {
		w.tell("%s %s: %s, run %d, attempt %d, sequence %d", w.now.Format("15:04:05"), next.ID, e.State, next.Run, e.Attempt, e.Sequence)
		if e.State.Ended() && next.Webhook != "" {
			w.webhooks[next.ID][job.NewWebhookID(e)] = true
		}
		if e.State.Ended() || e.State == job.Scheduled {
			w.tally[string(e.State)]++
		}
	}
}

// update is what managers do to a job: it tells whether the caller knows that it took place.
func (w *world) update(id job.ID, change func(job.Job) (job.Job, []job.Event, bool)) (known bool) {
	j, ok := w.jobs[id]
	if !ok {
		return true // dropped: there is nothing more to do
	}
	if w.chance(20) {
		return false // the store did not answer, and nothing took place
	}
	next, events, task := change(j)
	w.keep(next, events, task)
	if w.chance(20) {
		w.tally["commit unsure"]++
		return false // it took place, and its caller died before it could act on that
	}
	return true
}

// wish is a caller's.
func (w *world) wish() {
	if !w.faults || len(w.ids) == 0 {
		return
	}
	id := w.ids[w.IntN(len(w.ids))]
	if w.IntN(3) == 0 {
		w.update(id, func(j job.Job) (job.Job, []job.Event, bool) {
			next, events, _ := job.Cancel(j, w.now)
			return next, events, false
		})
		return
	}
	w.update(id, func(j job.Job) (job.Job, []job.Event, bool) {
		next, events, err := job.Retry(j, w.now)
		if err == nil {
			w.tally["retried"]++
		} else if !fault.Is(err, fault.Conflict) {
			w.broken = fmt.Errorf("retrying a job that is %s: %w", j.State, err)
		}
		return next, events, err == nil
	})
}

// upkeep is what the leader does.
func (w *world) upkeep() {
	for _, id := range w.ids {
		j, ok := w.jobs[id]
		if !ok {
			continue
		}
		switch {
		case j.State == job.Scheduled:
			w.update(id, func(j job.Job) (job.Job, []job.Event, bool) {
				next, events := job.Release(j, w.now)
				return next, events, len(events) > 0
			})
		case j.State.Ended() && !j.Expires.IsZero() && !j.Expires.After(w.now):
			delete(w.jobs, id)
			w.tally["dropped"]++
		case !j.State.Ended() && w.now.Sub(j.Updated) > staleAfter && !w.waits(id):
			w.update(id, func(j job.Job) (job.Job, []job.Event, bool) {
				next, events := job.Requeue(j, requeueLimit, w.now)
				if next.State == job.Queued && next.Requeues != j.Requeues+1 {
					w.broken = fmt.Errorf("%+v was queued again without being counted", next)
				}
				w.tally["requeued"]++
				return next, events, next.State == job.Queued
			})
		}
	}
}

func (w *world) waits(id job.ID) bool {
	for _, t := range w.outbox {
		if t.Job == id {
			return true
		}
	}
	return false
}

// relay publishes some of the outbox. A crash in between publishes it twice.
func (w *world) relay() {
	if len(w.outbox) == 0 {
		return
	}
	i := w.IntN(len(w.outbox))
	t := w.outbox[i]
	w.publish(letter{task: &t})
	if w.chance(8) {
		w.tally["task published twice"]++
		return
	}
	w.outbox = append(w.outbox[:i], w.outbox[i+1:]...)
}

func (w *world) publish(l letter) {
	copies := 1
	switch {
	case w.chance(60): // not what a queue may do, but disks burn
		w.tally["message lost"]++
		copies = 0
	case w.chance(20):
		copies = 2
	}
	for range copies {
		l.attempt = max(l.attempt, 1)
		if w.chance(3) {
			l.due = w.now.Add(time.Duration(w.IntN(60)) * time.Second)
		}
		w.queue = append(w.queue, l)
	}
}

// deliver hands any message that is due to whoever it is for.
func (w *world) deliver() {
	var due []int
	for i, l := range w.queue {
		if !l.due.After(w.now) {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return
	}
	i := due[w.IntN(len(due))]
	l := w.queue[i]
	w.queue = append(w.queue[:i], w.queue[i+1:]...)
	switch {
	case l.report != nil:
		if !w.apply(*l.report) {
			w.queue = append(w.queue, l)
		}
	case l.dead != "":
		if !w.update(l.task.Job, func(j job.Job) (job.Job, []job.Event, bool) {
			next, events := job.Bury(j, l.task.Run, job.Failure{Reason: "SET_ASIDE", Message: l.dead}, w.now)
			if len(events) > 0 && l.task.Run != j.Run {
				w.broken = fmt.Errorf("a dead task of run %d ended run %d: %+v", l.task.Run, j.Run, next)
			}
			return next, events, false
		}) {
			w.queue = append(w.queue, l)
		}
	default:
		w.work(l)
	}
}

func (w *world) apply(r job.Report) bool {
	return w.update(r.Job, func(j job.Job) (job.Job, []job.Event, bool) {
		next, events := job.Apply(j, r, w.now)
		if len(events) > 0 && r.Run != j.Run {
			w.broken = fmt.Errorf("a report of run %d moved run %d: %+v", r.Run, j.Run, next)
		}
		if len(events) == 0 && r.Kind == job.Finished {
			w.tally["late result refused"]++
		}
		if again, more := job.Apply(next, r, w.now); len(more) > 0 {
			w.broken = fmt.Errorf("%+v applied twice to %+v gives %+v", r, j, again)
		} else if len(events) > 0 {
			w.tally["repeated report refused"]++
		}
		return next, events, false
	})
}

// work is a worker's attempt at a task.
func (w *world) work(l letter) {
	t := *l.task
	report := func(kind job.ReportKind, failure *job.Failure) {
		r := job.Report{Job: t.Job, Run: t.Run, Attempt: l.attempt, Kind: kind, Node: fmt.Sprint("w", w.IntN(3)), Failure: failure,
			Time: w.now.Add(time.Duration(w.IntN(4000)-2000) * time.Millisecond)}
		if kind == job.Finished {
			r.Results = results("b", "a")
		}
		if kind == job.Progressed {
			r.Progress = &job.Progress{Phase: "rendering", Percent: w.IntN(101)}
		}
		w.publish(letter{report: &r})
	}
	again := func(after time.Duration) {
		l.attempt++
		l.due = w.now.Add(after)
		w.queue = append(w.queue, l)
	}
	lost := func() {
		if l.losses++; l.losses == maxLosses {
			l.dead = "its consumers die"
			w.queue = append(w.queue, l)
			return
		}
		again(lease)
	}
	report(job.Began, nil)
	switch outcome := w.IntN(20); {
	case w.chance(8):
		w.tally["worker died"]++
		lost()
	case w.chance(10): // it is slow, the lease goes to another, and it reports all the same
		w.tally["zombie reported"]++
		lost()
		report(job.Finished, nil)
	case outcome < 2 && w.faults:
		report(job.GaveUp, &job.Failure{Reason: "BROKEN_IMAGE"})
	case outcome < 6 && w.faults:
		report(job.Postpone, &job.Failure{Reason: "STORAGE_UNAVAILABLE"})
		limit := attemptLimit
		if t.MaxAttempts > 0 {
			limit = t.MaxAttempts
		}
		if l.attempt >= limit {
			l.dead = "it was tried often enough"
			w.queue = append(w.queue, l)
			return
		}
		again(time.Second << l.attempt)
	default:
		report(job.Progressed, nil)
		report(job.Finished, nil)
	}
}

// check looks at a change the moment it is made.
func (w *world) check(before, after job.Job, events []job.Event) {
	wrong := func(format string, args ...any) {
		w.broken = fmt.Errorf("%s became %s: %s\n%+v\n%+v", before.State, after.State, fmt.Sprintf(format, args...), before, after)
	}
	switch {
	case len(events) == 0:
		if before.Sequence != after.Sequence || before.State != after.State {
			wrong("without an event")
		}
		return
	case before.State.Ended() && after.Run == before.Run:
		wrong("it had ended in this run")
	case before.State == job.Scheduled && after.State == job.Queued && after.NotBefore.After(w.now):
		wrong("before its time")
	case before.State == job.Scheduled && after.State == job.Running:
		wrong("it was not released")
	case after.State.Ended() == after.Ended.IsZero():
		wrong("its end is not noted")
	case (after.State == job.Succeeded) != (len(after.Results) == 2):
		wrong("its results are not those of its state")
	case after.State == job.Succeeded && (after.Results[0].Name != "a" || after.Results[1].Name != "b"):
		wrong("its results are out of order")
	case after.Requeues > requeueLimit:
		wrong("it was queued again too often")
	case after.Keep > 0 && after.State.Ended() != !after.Expires.IsZero():
		wrong("its time to live is not counted from its end")
	}
	last := before.Sequence
	for _, e := range events {
		if e.Sequence != last+1 {
			wrong("event %d follows event %d", e.Sequence, last)
		}
		if e.Time.Before(before.Updated) || e.Time.After(w.now) {
			wrong("its event happened at %v, between %v and %v", e.Time, before.Updated, w.now)
		}
		last = e.Sequence
	}
}

// ends looks at the story of every job when nothing more happens.
func (w *world) ends() error {
	for _, id := range w.ids {
		terminal, wanted := 0, 0
		runs := 1
		for i, e := range w.events[id] {
			if e.State.Ended() {
				terminal++
			}
			if i > 0 && w.events[id][i-1].State.Ended() {
				runs++
			}
		}
		if terminal != runs {
			return fmt.Errorf("%s has %d ends in %d runs: %+v", id, terminal, runs, w.events[id])
		}
		if j, kept := w.jobs[id]; kept && j.Webhook != "" {
			wanted = terminal
		}
		if n := len(w.webhooks[id]); wanted > 0 && n != wanted {
			return fmt.Errorf("%s has %d notices of %d ends", id, n, wanted)
		}
	}
	return nil
}
