package rpc

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	greeterv1 "calotype/proto/greeter/v1"
)

func TestAnAttemptIsAContext(t *testing.T) {
	type key struct{}
	parent := context.WithValue(context.Background(), key{}, "kept")
	for name, c := range map[string]struct {
		within time.Duration
		end    func(*attempt)
		want   error
	}{
		"its time passes":  {250 * time.Millisecond, func(a *attempt) { <-a.Done() }, context.DeadlineExceeded},
		"it is called off": {time.Hour, func(a *attempt) { a.cancel(context.Canceled) }, context.Canceled},
		"the call is over": {time.Hour, func(a *attempt) { a.finish(); a.finish(); a.cancel(context.DeadlineExceeded) }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			a := &attempt{}
			at := time.Now().Add(c.within)
			a.begin(parent, at)
			if d, ok := a.Deadline(); !ok || !d.Equal(at) || a.Value(key{}) != "kept" {
				t.Errorf("it began as %v", a)
			}
			told := make(chan string, 3)
			a.AfterFunc(func() { told <- "first" })
			if stop := a.AfterFunc(func() { told <- "stopped" }); !stop() || stop() {
				t.Error("what is not wanted any more must be stopped once")
			}
			// grpc-go's way: values around it, then its own view, then a context that can be cancelled.
			child, cancel := context.WithCancel((&try{extra: noExtra}).onWire(context.WithValue(a, key{}, 1), a))
			defer cancel()
			another, cancelAnother := context.WithCancel((&try{extra: noExtra}).onWire(a, a))
			cancelAnother()
			c.end(a)
			<-child.Done()
			if a.Err() != c.want || child.Err() != c.want || context.Cause(child) != c.want || another.Err() != context.Canceled {
				t.Errorf("it ended with %v, what hangs on it with %v; want %v", a.Err(), child.Err(), c.want)
			}
			if who := <-told; who != "first" {
				t.Errorf("told was %s", who)
			}
			if stop := a.AfterFunc(func() { told <- "late" }); stop() {
				t.Error("what has been told cannot be stopped")
			}
			if who := <-told; who != "late" {
				t.Errorf("told was %s", who)
			}
			a.finish()
		})
	}
}

// An alarm is handed on only by those for whom it did not ring.
func TestAlarmsAreNotHeardByOthers(t *testing.T) {
	for range 1000 {
		a, b := &attempt{}, &attempt{}
		a.begin(t.Context(), time.Now().Add(50*time.Microsecond))
		a.finish()
		b.begin(t.Context(), time.Now().Add(time.Hour))
		if b.Err() != nil {
			t.Fatal("the next one got the alarm of the one before")
		}
		b.finish()
	}
}

func TestTheWireTellsWholeMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, want := range map[time.Duration]time.Duration{
			10*time.Second - 123*time.Microsecond: 10 * time.Second,
			10 * time.Second:                      10 * time.Second,
			100*time.Millisecond + 1:              101 * time.Millisecond,
			99*time.Millisecond + 1:               99*time.Millisecond + 1,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			if end, ok := (&try{extra: noExtra}).onWire(ctx, nil).Deadline(); !ok || time.Until(end) != want {
				t.Errorf("of %v the wire tells %v, want %v", left, time.Until(end), want)
			}
			cancel()
		}
		if _, ok := (&try{extra: noExtra}).onWire(context.Background(), nil).Deadline(); ok {
			t.Error("it has a deadline that nobody set")
		}
	})
}

// valued is a handler that reflect must call, for it is no pointer; wrong messages from a wrapper end in reflect too.
type valued struct{ greeterv1.GreeterHandler }

func (valued) Hello(_ context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	if in.Name == "broken" {
		return errors.New("broken")
	}
	out.Message = "hello " + in.Name
	return nil
}

func TestHandlersAreCalledDirectly(t *testing.T) {
	for name, h := range map[string]any{"by pointer": &valued{}, "by value": valued{}} {
		t.Run(name, func(t *testing.T) {
			m := methodOf(h)
			fn := directly(h, "Hello", m)
			out := &greeterv1.HelloResponse{}
			if err := fn(t.Context(), &greeterv1.HelloRequest{Name: "you"}, out); err != nil || out.Message != "hello you" {
				t.Errorf("got %v, %v", out, err)
			}
			if err := fn(t.Context(), &greeterv1.HelloRequest{Name: "broken"}, out); err == nil || err.Error() != "broken" {
				t.Errorf("got %v", err)
			}
			defer func() {
				if recover() == nil {
					t.Error("a message of another type was taken")
				}
			}()
			_ = fn(t.Context(), &greeterv1.HelloResponse{}, out)
		})
	}
	if n := testing.AllocsPerRun(100, directCall(t)); n != 0 {
		t.Errorf("a direct call takes %v allocations", n)
	}
}

func directCall(t *testing.T) func() {
	h := &valued{}
	fn := directly(h, "Hello", methodOf(h))
	ctx, in, out := t.Context(), &greeterv1.HelloRequest{Name: ""}, &greeterv1.HelloResponse{}
	return func() { _ = fn(ctx, in, out) }
}

func methodOf(h any) *serverMethod {
	fn := reflect.ValueOf(h).MethodByName("Hello")
	return &serverMethod{fn: fn, in: fn.Type().In(1).Elem(), out: fn.Type().In(2).Elem()}
}
