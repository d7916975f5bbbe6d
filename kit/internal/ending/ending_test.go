package ending_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go-micro.dev/v4/client"

	"calotype/kit/internal/ending"
)

// stream plays a script of what Recv gives; past its end Recv waits for the context.
type stream struct {
	client.Stream
	ctx    context.Context
	end    context.CancelFunc // as grpc-go does when an answer or an error is the last
	script []error
	last   bool
}

func (s *stream) Context() context.Context { return s.ctx }
func (s *stream) Error() error             { return nil }
func (s *stream) Close() error             { return nil }

func (s *stream) Recv(any) error {
	if len(s.script) == 0 {
		<-s.ctx.Done()
		return s.ctx.Err()
	}
	err := s.script[0]
	s.script = s.script[1:]
	if err != nil || s.last && len(s.script) == 0 {
		s.end()
		<-time.After(time.Second) // who watches the context hears of it first
	}
	return err
}

func TestWatch(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		script []error
		last   bool
		use    func(client.Stream, context.CancelFunc)
		want   error
	}{
		"read to its end":              {script: []error{nil, io.EOF}, use: read, want: nil},
		"broken":                       {script: []error{nil, broken}, use: read, want: broken},
		"closed":                       {script: []error{nil}, use: func(s client.Stream, _ context.CancelFunc) { _ = s.Recv(nil); _ = s.Close() }},
		"left":                         {script: []error{nil}, use: func(s client.Stream, c context.CancelFunc) { _ = s.Recv(nil); c() }, want: context.Canceled},
		"left while reading":           {use: func(s client.Stream, c context.CancelFunc) { go c(); read(s, nil) }, want: context.Canceled},
		"a client stream's one answer": {script: []error{nil}, last: true, use: func(s client.Stream, _ context.CancelFunc) { _ = s.Recv(nil) }},
		"ended in many ways":           {script: []error{io.EOF}, use: func(s client.Stream, c context.CancelFunc) { read(s, nil); _ = s.Close(); c() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var told atomic.Int32
				var got error
				s := ending.Watch(&stream{ctx: ctx, end: cancel, script: c.script, last: c.last}, func(err error) { got = err; told.Add(1) })
				c.use(s, cancel)
				synctest.Wait()
				if told.Load() != 1 || !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
					t.Errorf("told %d times, last %v; want %v", told.Load(), got, c.want)
				}
			})
		})
	}
}

func read(s client.Stream, _ context.CancelFunc) {
	for s.Recv(nil) == nil {
	}
}
