package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// attempt is the context of one attempt whose caller's context cannot end: context.WithDeadline would cost it six allocations more.
type attempt struct {
	context.Context
	end   time.Time // zero: it has all the time in the world
	alarm *alarm
	done  chan struct{}

	mu    sync.Mutex
	err   error
	after []func()
	room  [1]func() // grpc-go asks once
	wire  wire
}

func (a *attempt) begin(ctx context.Context, end time.Time) {
	a.Context, a.end, a.done = ctx, end, make(chan struct{})
	if !end.IsZero() {
		a.alarm = setAlarm(a, time.Until(end))
	}
}

// finish ends the context as its caller's would end: with context.Canceled.
func (a *attempt) finish() {
	if a.alarm != nil {
		a.alarm.off()
		a.alarm = nil
	}
	a.cancel(context.Canceled)
}

func (a *attempt) cancel(why error) {
	a.mu.Lock()
	if a.err != nil {
		a.mu.Unlock()
		return
	}
	a.err = why
	after := a.after
	a.after = nil
	close(a.done)
	a.mu.Unlock()
	for _, f := range after {
		if f != nil {
			go f()
		}
	}
}

func (a *attempt) Deadline() (time.Time, bool) { return a.end, !a.end.IsZero() }
func (a *attempt) Done() <-chan struct{}       { return a.done }

func (a *attempt) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// AfterFunc is what package context looks for in contexts that are not its own: without it, it would start a goroutine a call.
func (a *attempt) AfterFunc(f func()) (stop func() bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		go f()
		return func() bool { return false }
	}
	if a.after == nil {
		a.after = a.room[:0]
	}
	i := len(a.after)
	a.after = append(a.after, f)
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		if i >= len(a.after) || a.after[i] == nil {
			return false
		}
		a.after[i] = nil
		return true
	}
}

// alarm is a timer that many attempts use, one after the other.
type alarm struct {
	timer *time.Timer
	whose atomic.Pointer[attempt]
}

var alarms = sync.Pool{New: func() any {
	a := &alarm{}
	a.timer = time.AfterFunc(time.Hour, func() {
		if w := a.whose.Load(); w != nil {
			w.cancel(context.DeadlineExceeded)
		}
	})
	a.timer.Stop()
	return a
}}

func setAlarm(whose *attempt, in time.Duration) *alarm {
	a := alarms.Get().(*alarm)
	a.whose.Store(whose)
	a.timer.Reset(in)
	return a
}

// off keeps the alarm for others, unless it has rung: it may be ringing still.
func (a *alarm) off() {
	if a.timer.Stop() {
		a.whose.Store(nil)
		alarms.Put(a)
	}
}

// wire is a context as grpc-go sees it. What is left of its time is told in whole milliseconds, rounded up: equal times cost one byte
// on the wire and no memory, where each different one is spelled out, and takes the place of another header in the tables of both sides.
// The caller's own deadline is not moved by it.
type wire struct {
	context.Context
	own *attempt
}

// onWire uses what the attempt has room for: attempts that overlap have none, and a call wrapper may try twice.
func (t *try) onWire(ctx context.Context, own *attempt) *wire {
	room := own
	if own == nil && t.extra.hedge == 0 {
		room = &t.first
	}
	if room == nil || room.wire.Context != nil {
		return &wire{ctx, own}
	}
	room.wire = wire{ctx, own}
	return &room.wire
}

const coarse = 100 * time.Millisecond // below, every microsecond is told

func (w *wire) Deadline() (time.Time, bool) {
	end, has := w.Context.Deadline()
	if !has {
		return end, false
	}
	left := time.Until(end)
	if left < coarse {
		return end, true
	}
	return end.Add((left+time.Millisecond-1)/time.Millisecond*time.Millisecond - left), true
}

// AfterFunc reaches the attempt's through the values that were put around it.
func (w *wire) AfterFunc(f func()) (stop func() bool) {
	if w.own != nil && w.Context.Done() == (<-chan struct{})(w.own.done) {
		return w.own.AfterFunc(f)
	}
	return context.AfterFunc(w.Context, f)
}
