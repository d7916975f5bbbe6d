//go:build linux

package isolation

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

const socket = 3 // the file that a helper talks over

// Serve is what a helper does until the node lets go of it. It gives the process's exit code.
func Serve(open Opener) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) // the node says when it is over
	_ = os.Unsetenv(mark)
	l, err := newLink(os.NewFile(socket, "socket"))
	if err != nil {
		return complain(err)
	}
	s := &server{link: l, open: open, work: make(chan message)}
	if err := s.begin(); err != nil {
		_ = l.send(&message{Kind: failed, Fault: failureOf(err)}, -1)
		return complain(err)
	}
	go s.serve()
	return s.listen()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "helper:", err)
	return 1
}

// server is a helper.
type server struct {
	link   *link
	open   Opener
	engine worker.Engine
	work   chan message
	region []byte
	recipe recipe.Reader

	mu       sync.Mutex
	observed []observed
	call     uint64
	cancel   context.CancelFunc
}

// begin limits the process, sets the engine up and shuts the sandbox.
func (s *server) begin() error {
	m, _, _, err := s.link.receive(0)
	if err != nil || m.Kind != hello || m.Start == nil {
		return fmt.Errorf("the node says %q, not hello: %w", m.Kind, err)
	}
	if err := limit(m.Start.Memory); err != nil {
		return err
	}
	if s.engine, err = s.open(m.Settings, s.observe); err != nil {
		return err
	}
	box := &Sandbox{Memory: m.Start.Memory, Files: os.Getenv(fenced) != ""}
	if err := filter(); err != nil {
		if m.Start.Require {
			return fmt.Errorf("the system calls of a helper cannot be filtered here, and worker.helper_sandbox is %s: %w", Required, err)
		}
		box.Missing = err.Error()
	} else {
		box.SystemCalls = true
	}
	return s.link.send(&message{Kind: ready, Sandbox: box}, -1)
}

// listen takes what the node sends while calls run. When nothing more can come, the process ends, whatever runs.
func (s *server) listen() int {
	for {
		m, _, fd, err := s.link.receive(0)
		if err != nil {
			return 0
		}
		if fd >= 0 {
			if err := s.remap(fd, m.Region); err != nil {
				return complain(err)
			}
		}
		if m.Kind == stop {
			s.stop(m.Call)
			continue
		}
		s.work <- m
	}
}

// remap takes other shared memory. It comes between two calls.
func (s *server) remap(fd, size int) error {
	fresh, err := view(fd, size)
	if err != nil {
		return fmt.Errorf("mapping %d bytes of shared memory: %w", size, err)
	}
	if s.region != nil {
		_ = unix.Munmap(s.region)
	}
	s.region = fresh
	return nil
}

func (s *server) stop(call uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil && s.call == call {
		s.cancel()
	}
}

func (s *server) serve() {
	for m := range s.work {
		ctx, cancel := context.WithCancel(context.Background())
		s.mu.Lock()
		s.call, s.cancel, s.observed = m.Call, cancel, nil
		s.mu.Unlock()
		answer, bytes, err := s.do(ctx, m)
		if err != nil {
			answer = &message{Kind: failed, Fault: failureOf(err)}
		}
		s.mu.Lock()
		answer.Call, answer.Observed, s.cancel = m.Call, s.observed, nil
		s.mu.Unlock()
		cancel()
		if len(s.region) > mostKept { // as the node does
			_ = unix.Munmap(s.region)
			s.region = nil
		}
		if err := s.link.send(answer, -1, bytes...); err != nil {
			os.Exit(complain(err))
		}
	}
}

func (s *server) do(ctx context.Context, m message) (*message, [][]byte, error) {
	if m.Settings != nil {
		e, err := s.open(m.Settings, s.observe)
		if err != nil {
			return nil, nil, err
		}
		s.engine = e
	}
	in, err := s.input(m)
	if err != nil {
		return nil, nil, err
	}
	if m.Kind == inspect {
		p, err := s.engine.Inspect(ctx, in.Data)
		return &message{Kind: done, Picture: &p}, nil, err
	}
	r, err := s.recipe.Read(m.Recipe)
	if err != nil {
		return nil, nil, err
	}
	made, err := s.engine.Render(ctx, in, r.Variants, func(p job.Progress) {
		_ = s.link.send(&message{Kind: progress, Call: m.Call, Progress: &p}, -1)
	})
	if err != nil {
		return nil, nil, err
	}
	answer := &message{Kind: done, Results: made}
	bytes := make([][]byte, len(made))
	for i := range made {
		bytes[i], made[i].Data = made[i].Data, nil
		answer.Sizes = append(answer.Sizes, len(bytes[i]))
	}
	return answer, bytes, nil
}

// input finds a call's bytes in the shared memory.
func (s *server) input(m message) (in job.Input, err error) {
	in.Stands = m.Stands
	if in.Data, err = m.Data.cut(s.region); err != nil {
		return in, err
	}
	for _, l := range m.Layers {
		if in.Layers == nil {
			in.Layers = map[job.Digest][]byte{}
		}
		if in.Layers[l.Digest], err = l.cut(s.region); err != nil {
			return in, err
		}
	}
	return in, nil
}

func (s *server) observe(op, format string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observed = append(s.observed, observed{op, format, took})
}
