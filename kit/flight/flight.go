// Package flight lets callers who ask for the same thing at the same time share one run of the work. Unlike singleflight of
// golang.org/x/sync, a run belongs to nobody: it goes on while anybody waits for it, and is stopped when the last one leaves.
package flight

import (
	"context"
	"sync"
	"time"
)

// Group holds the runs of one kind of work. The zero value is ready.
type Group[K comparable, V any] struct {
	mu   sync.Mutex
	runs map[K]*run[V]
}

type run[V any] struct {
	ctx     *life
	done    chan struct{}
	waiting int

	value    V
	err      error
	panicked any
}

// slack is how long before its deadline work may give up because of it: calls keep a little of their time for the way back.
const slack = 100 * time.Millisecond

// Do gives what work gives for key, and whether another caller's run gave it. Whoever leaves when ctx ends gets ctx's error, and
// hurts nobody else. Work sees the values of the first caller's ctx and the latest deadline of all, as far as they are known when
// it asks. Errors are shared as values are, but for those of a run that broke off at its first caller's deadline: who has more time
// begins anew, once. A panic goes on in everyone who waits. What work gives is shared: nobody may write to it.
func (g *Group[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) (v V, shared bool, err error) {
	for again := false; ; again = true {
		r, joined := g.join(ctx, key, work)
		select {
		case <-r.done:
		case <-ctx.Done():
			g.leave(key, r)
			return v, joined, ctx.Err()
		}
		if r.panicked != nil {
			panic(r.panicked)
		}
		if joined && !again && r.err != nil && r.ctx.short() && ctx.Err() == nil {
			continue
		}
		return r.value, joined, r.err
	}
}

// Waiting is how many wait for a key.
func (g *Group[K, V]) Waiting(key K) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.runs[key]; r != nil {
		return r.waiting
	}
	return 0
}

func (g *Group[K, V]) join(ctx context.Context, key K, work func(context.Context) (V, error)) (_ *run[V], joined bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.runs[key]; r != nil {
		r.waiting++
		r.ctx.extend(ctx)
		return r, true
	}
	r := &run[V]{ctx: begin(ctx), done: make(chan struct{}), waiting: 1}
	if g.runs == nil {
		g.runs = map[K]*run[V]{}
	}
	g.runs[key] = r
	go func() {
		defer func() {
			r.panicked = recover()
			g.forget(key, r)
			r.ctx.cancel()
			close(r.done)
		}()
		r.value, r.err = work(r.ctx)
	}()
	return r, false
}

// leave stops a run that nobody waits for any more. Who asks from now on begins another.
func (g *Group[K, V]) leave(key K, r *run[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.waiting--; r.waiting > 0 {
		return
	}
	r.ctx.cancel()
	if g.runs[key] == r {
		delete(g.runs, key)
	}
}

func (g *Group[K, V]) forget(key K, r *run[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.runs[key] == r {
		delete(g.runs, key)
	}
}

// life is a run's context. It has no timer: callers leave at their deadlines, the last one at the latest of them.
type life struct {
	context.Context
	cancel context.CancelFunc
	first  time.Time // the deadline with which it began; none is zero

	mu      sync.Mutex
	latest  time.Time
	endless bool // somebody waits without a deadline
}

func begin(ctx context.Context) *life {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &life{Context: inner, cancel: cancel}
	l.extend(ctx)
	if !l.endless {
		l.first = l.latest
	}
	return l
}

func (l *life) extend(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end, has := ctx.Deadline()
	switch {
	case !has:
		l.endless = true
	case end.After(l.latest):
		l.latest = end
	}
}

// Deadline implements context.Context.
func (l *life) Deadline() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.endless {
		return time.Time{}, false
	}
	return l.latest, true
}

// short reports whether the first caller's time is up, so that what failed may have failed for that.
func (l *life) short() bool {
	return !l.first.IsZero() && time.Until(l.first) < slack
}
