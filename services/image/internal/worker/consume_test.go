package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

func TestJobIsDone(t *testing.T) {
	b := newBench(t)
	other := thumb()
	other.Name = "other"
	if v := b.worker().Consumer.handle(t.Context(), delivery(t, 3, thumb(), other)); !v.IsDone() {
		t.Errorf("verdict %+v", v)
	}
	if !slices.Equal(b.kinds(), []job.ReportKind{job.Began, job.Finished}) {
		t.Fatalf("told %v", b.kinds())
	}
	done := b.reports[1]
	if done.Job != "job_1" || done.Run != 2 || done.Attempt != 3 || done.Node != "node-1" || done.Time.IsZero() || len(done.Results) != 2 {
		t.Errorf("told %+v", done)
	}
	resolved, err := thumb().Resolve(recipe.Source{})
	if err != nil {
		t.Fatal(err)
	}
	r := done.Results[0]
	if r.Name != "thumb" || r.Size != 5 || r.Key != recipe.Key(string(digest), resolved, recipe.EngineVersion) || !slices.Contains(b.stored, r.Digest) {
		t.Errorf("result %+v, stored %v", r, b.stored)
	}
}

func TestJobFails(t *testing.T) {
	broken := fault.New(fault.Invalid, "BROKEN_IMAGE", "the picture is damaged")
	for name, c := range map[string]struct {
		err     error
		attempt int
		kinds   []job.ReportKind
		failure job.Failure
		verdict func(job.Verdict) bool
	}{
		"for good":  {named{broken}, 1, []job.ReportKind{job.Began, job.GaveUp}, job.Failure{Reason: "BROKEN_IMAGE", Message: "the picture is damaged", Variant: "thumb"}, job.Verdict.IsDone},
		"gone":      {fault.New(fault.NotFound, "", "no blob"), 1, []job.ReportKind{job.Began, job.GaveUp}, job.Failure{Reason: "NOT_FOUND", Message: "no blob"}, job.Verdict.IsDone},
		"for now":   {away, 5, []job.ReportKind{job.Began, job.Postpone}, job.Failure{Reason: "UNAVAILABLE", Message: "storage is away"}, job.Verdict.IsAgain},
		"too often": {away, 12, []job.ReportKind{job.Began, job.Postpone}, job.Failure{Reason: "UNAVAILABLE", Message: "storage is away"}, job.Verdict.IsSetAside},
		"a defect":  {errors.New("secret detail"), 2, []job.ReportKind{job.Began, job.Postpone}, job.Failure{Reason: "INTERNAL", Message: "something went wrong on the node"}, job.Verdict.IsAgain},
		"a defect that stays": {errors.New("secret detail"), 3, []job.ReportKind{job.Began, job.Postpone}, job.Failure{Reason: "INTERNAL", Message: "something went wrong on the node"},
			job.Verdict.IsSetAside},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.render = func(context.Context, []recipe.Variant) ([]Rendered, error) { return nil, c.err }
			v := b.worker().Consumer.handle(t.Context(), delivery(t, c.attempt, thumb()))
			if !c.verdict(v) {
				t.Errorf("verdict %+v", v)
			}
			if v.IsAgain() && (v.After <= 0 || v.After > time.Minute) {
				t.Errorf("again after %v", v.After)
			}
			if !slices.Equal(b.kinds(), c.kinds) {
				t.Fatalf("told %v, want %v", b.kinds(), c.kinds)
			}
			if f := b.reports[1].Failure; f == nil || *f != c.failure {
				t.Errorf("failure %+v, want %+v", f, c.failure)
			}
		})
	}
}

// Nothing leaves the queue before it is told what became of it.
func TestJobStaysWhileNobodyCanBeTold(t *testing.T) {
	b := newBench(t)
	b.publish = away
	if v := b.worker().Consumer.handle(t.Context(), delivery(t, 1, thumb())); !v.IsAgain() {
		t.Errorf("verdict %+v", v)
	}
	b = newBench(t)
	b.put = func(job.Digest) error { b.publish = away; return nil }
	if v := b.worker().Consumer.handle(t.Context(), delivery(t, 1, thumb())); !v.IsAgain() {
		t.Errorf("verdict %+v when only the end cannot be told", v)
	}
}

func TestJobWhoseResultsCannotBeKeptIsNotFinished(t *testing.T) {
	b := newBench(t)
	b.put = func(job.Digest) error { return away }
	if v := b.worker().Consumer.handle(t.Context(), delivery(t, 1, thumb())); !v.IsAgain() || slices.Contains(b.kinds(), job.Finished) {
		t.Errorf("verdict %+v, told %v", v, b.kinds())
	}
}

func TestTaskThatIsNone(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{"", "{}", `{"job":"job_1","original":"no digest"}`, `{"job":"job_1","original":"` + string(digest) + `","recipe":{"Variants":[{"name":"x","options":"q_many"}]}}`} {
		if v := b.worker().Consumer.handle(t.Context(), job.Delivery{Message: job.Message{Body: []byte(body)}}); !v.IsSetAside() {
			t.Errorf("%q: verdict %+v", body, v)
		}
	}
	if len(b.reports) > 0 {
		t.Errorf("told %v", b.reports)
	}
}

// A node that leaves, or that lost the task, tells nothing of its end: who has it next does.
func TestJobIsCutOff(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.render = func(ctx context.Context, _ []recipe.Variant) ([]Rendered, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if v := b.worker().Consumer.handle(ctx, delivery(t, 1, thumb())); !v.IsAgain() || v.After != 0 {
		t.Errorf("verdict %+v", v)
	}
	if !slices.Equal(b.kinds(), []job.ReportKind{job.Began}) {
		t.Errorf("told %v", b.kinds())
	}
}

func TestJobHasItsTime(t *testing.T) {
	b := newBench(t)
	b.render = func(ctx context.Context, _ []recipe.Variant) ([]Rendered, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	w := b.worker(func(c *Config) { c.JobTimeout = 10 * time.Millisecond })
	if v := w.Consumer.handle(t.Context(), delivery(t, 3, thumb())); !v.IsSetAside() || !strings.Contains(v.Reason, "longer") {
		t.Errorf("verdict %+v", v)
	}
}

// A panic reaches the queue, which counts it as a lost delivery; the slot is free again.
func TestJobPanics(t *testing.T) {
	b := newBench(t)
	b.render = func(context.Context, []recipe.Variant) ([]Rendered, error) { panic("a defect") }
	w := b.worker()
	func() {
		defer func() {
			if p := recover(); p != "a defect" {
				t.Errorf("recovered %v", p)
			}
		}()
		w.Consumer.handle(t.Context(), delivery(t, 1, thumb()))
	}()
	eventually(t, "the slot is given back", func() bool {
		w.Consumer.slots.mu.Lock()
		defer w.Consumer.slots.mu.Unlock()
		return w.Consumer.slots.used[jobs] == 0
	})
}

// When the node leaves it takes no more tasks; those that run go on until the drain's time is up.
func TestLeavingCutsTasksOffOnlyWhenTimeIsUp(t *testing.T) {
	b := newBench(t)
	leaving, leave := context.WithCancel(t.Context())
	work, timeUp := context.WithCancel(t.Context())
	var verdict job.Verdict
	b.consume = func(ctx context.Context, topic string, slots int, h job.Handler) error {
		if topic != job.Tasks || slots != 2 {
			t.Errorf("consumes %d at once of %s", slots, topic)
		}
		verdict = h(context.WithoutCancel(ctx), delivery(t, 1, thumb())) // a queue lets what runs end
		return nil
	}
	b.render = func(ctx context.Context, _ []recipe.Variant) ([]Rendered, error) {
		leave()
		if ctx.Err() != nil {
			t.Error("leaving cut the task off at once")
		}
		timeUp()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := b.worker().Consumer.Run(leaving, work); err != nil || !verdict.IsAgain() || verdict.After != 0 {
		t.Errorf("verdict %+v, %v", verdict, err)
	}
}

// The job says how often, within what a time-out or a defect may cost.
func TestJobSaysHowOften(t *testing.T) {
	slow := fault.New(fault.Deadline, "TRANSFORM_TIMEOUT", "it took too long")
	for name, c := range map[string]struct {
		most, attempt int
		err           error
		ends          bool
	}{
		"once":                {1, 1, away, true},
		"more than the node":  {20, 15, away, false},
		"as often as it says": {20, 20, away, true},
		"time-outs":           {20, 2, slow, false},
		"three time-outs":     {20, 3, slow, true},
		"one time-out":        {1, 1, slow, true},
	} {
		b := newBench(t)
		b.render = func(context.Context, []recipe.Variant) ([]Rendered, error) { return nil, c.err }
		task := job.Task{Job: "job_1", Run: 2, Original: digest, Recipe: recipe.Recipe{Variants: []recipe.Variant{thumb()}}, MaxAttempts: c.most}
		if v, _ := b.worker().Consumer.attempt(t.Context(), task, c.attempt); v.IsSetAside() != c.ends || v.IsDone() {
			t.Errorf("%s: verdict %+v", name, v)
		}
	}
}

// A storage that hangs is away, and no time-out of the picture's.
func TestStorageHasItsTime(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"original": func(b *bench) {
			b.open = func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		},
		"results": func(b *bench) {
			b.put = func(job.Digest) error { return fault.New(fault.Deadline, "", "no answer") }
		},
	} {
		b := newBench(t)
		change(b)
		w := b.worker(func(c *Config) { c.JobTimeout = 10 * time.Millisecond })
		if v := w.Consumer.handle(t.Context(), delivery(t, 3, thumb())); !v.IsAgain() || v.After <= 0 {
			t.Errorf("%s: verdict %+v", name, v)
		}
		if f := b.reports[1].Failure; f == nil || f.Reason != "STORAGE_TIMEOUT" {
			t.Errorf("%s: told %+v", name, f)
		}
	}
}

// Who asks for a pause gets it.
func TestPauseIsAsLongAsAsked(t *testing.T) {
	b := newBench(t)
	busy := fault.New(fault.Unavailable, "", "no room")
	busy.RetryAfter = 20 * time.Second
	b.put = func(job.Digest) error { return busy }
	if v := b.worker().Consumer.handle(t.Context(), delivery(t, 1, thumb())); !v.IsAgain() || v.After < 20*time.Second || v.After > time.Minute {
		t.Errorf("verdict %+v", v)
	}
}

// A node without time left gives a task back at once, whatever kept it from telling, and tells what is done all the same.
func TestNoTimeLeft(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.hang = func(context.Context, job.Report) { cancel() }
	if v := b.worker().Consumer.handle(ctx, delivery(t, 1, thumb())); !v.IsAgain() || v.After != 0 {
		t.Errorf("verdict %+v", v)
	}
	b = newBench(t)
	ctx, cancel = context.WithCancel(t.Context())
	b.put = func(job.Digest) error { cancel(); return nil }
	if v := b.worker().Consumer.handle(ctx, delivery(t, 1, thumb())); !v.IsDone() || !slices.Contains(b.kinds(), job.Finished) {
		t.Errorf("verdict %+v, told %v", v, b.kinds())
	}
}
