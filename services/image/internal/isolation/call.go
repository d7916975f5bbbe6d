//go:build linux

package isolation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// grace is how long a helper has to end a call by itself. Then it is killed: what a library computes in one piece ends in no other way.
const grace = 150 * time.Millisecond

// errBroken says that a helper cannot be used any more, errUnread also that it never saw the call.
var (
	errBroken = errors.New("the helper process is gone")
	errUnread = errors.New("it ended before it read the call")
)

// call makes one call of an idle helper. Its error is the engine's, or wraps errBroken.
func (h *helper) call(ctx context.Context, m *message, in job.Input, most int64, tell func(job.Progress)) (message, []byte, error) {
	fd := -1
	if n := room(in); h.region == nil || len(h.region.bytes) < n {
		h.region.free()
		r, err := newRegion(n)
		if h.region = r; err != nil {
			return message{}, nil, fault.Wrap(err, fault.Unavailable, NoHelper, "the node has no memory for the picture")
		}
		fd, m.Region = r.fd, len(r.bytes)
	}
	m.Data, m.Layers = h.region.put(in)
	m.Stands = in.Stands
	h.calls++
	m.Call = h.calls
	err := h.link.send(m, fd)
	if fd >= 0 {
		h.region.handed()
	}
	if len(h.region.bytes) > mostKept { // as the helper does after the call
		defer func() {
			h.region.free()
			h.region = nil
		}()
	}
	if err != nil {
		return message{}, nil, h.lost(ctx, err)
	}
	defer h.until(ctx, m.Call)()
	for {
		answer, body, _, err := h.link.receive(most)
		switch {
		case err != nil:
			return message{}, nil, h.lost(ctx, err)
		case answer.Call != m.Call:
			return message{}, nil, h.lost(ctx, fmt.Errorf("it answers call %d, not %d", answer.Call, m.Call))
		case answer.Kind == progress && answer.Progress != nil:
			if tell != nil {
				tell(job.Progress{Phase: word(answer.Progress.Phase), Percent: min(max(answer.Progress.Percent, 0), 100)})
			}
		case answer.Kind == failed && answer.Fault != nil:
			if ctx.Err() != nil {
				return answer, nil, ended(ctx)
			}
			return answer, nil, answer.Fault.err()
		case answer.Kind == done:
			return answer, body, nil
		default:
			return message{}, nil, h.lost(ctx, fmt.Errorf("it says %q", answer.Kind))
		}
	}
}

// until stops a call when ctx ends, and the helper with it when it does not heed. What it gives is called when the call is over.
func (h *helper) until(ctx context.Context, call uint64) (over func()) {
	var mu sync.Mutex
	var late *time.Timer
	finished := false
	off := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if finished {
			return
		}
		late = time.AfterFunc(grace, func() { h.kill(byStop) })
		_ = h.link.send(&message{Kind: stop, Call: call}, -1)
	})
	return func() {
		off()
		mu.Lock()
		defer mu.Unlock()
		finished = true
		if late != nil {
			late.Stop()
		}
	}
}

// lost says what became of a call whose helper cannot answer any more, and ends what is left of it.
func (h *helper) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		h.kill(byStop)
		return fmt.Errorf("%w: %w", errBroken, ended(ctx))
	}
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) { // what was sent was not read
		h.kill(byCrash)
		return fmt.Errorf("%w: %w", errBroken, fault.Wrap(errUnread, fault.Unavailable, NoHelper, "no process that decodes pictures lives long enough"))
	}
	dying := time.NewTimer(time.Second) // one that crashes needs a moment to say why
	defer dying.Stop()
	select {
	case <-h.gone:
	case <-dying.C:
		h.kill(byCrash)
		<-h.gone
	}
	if h.ended != nil {
		err = h.ended
	}
	if said := h.words.gist(); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return fmt.Errorf("%w: %w", errBroken, fault.Wrap(err, fault.Internal, Crashed,
		"the process that decodes the picture crashed: the file may be made to do that, or need more memory than a process may have"))
}

// ended says why a context ended.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(ctx.Err(), fault.Deadline, TooSlow, "the transformation took longer than it may")
	}
	return fault.Wrap(ctx.Err(), fault.Canceled, "", "the transformation was cancelled")
}

// word lets words through, of small letters and digits; a helper may say anything.
func word(s string) string {
	if len(s) > 16 {
		return ""
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return ""
		}
	}
	return s
}
