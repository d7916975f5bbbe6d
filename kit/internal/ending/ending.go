// Package ending tells once how a client's stream ended, whether it was read to its end, closed, or left. It knows go-micro's
// streams and nothing of who asks.
package ending

import (
	"context"
	"errors"
	"io"
	"sync"

	"go-micro.dev/v4/client"
)

// Watch gives back s so that told is called once when it ends: with nil for a clean end.
func Watch(s client.Stream, told func(error)) client.Stream {
	w := &stream{Stream: s, told: told}
	// Whoever leaves a stream before its end never learns how it ended; its context does.
	w.stop = context.AfterFunc(s.Context(), w.left)
	return w
}

type stream struct {
	client.Stream
	told func(error)
	stop func() bool

	mu        sync.Mutex
	receiving int
	ended     bool
}

func (s *stream) end(err error) {
	s.mu.Lock()
	ended := s.ended
	s.ended = true
	s.mu.Unlock()
	if ended {
		return
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	s.told(err)
}

// left runs once the stream's context has ended. A Recv that is under way knows the outcome and tells it.
func (s *stream) left() {
	s.mu.Lock()
	waiting := s.receiving > 0
	s.mu.Unlock()
	if waiting {
		return
	}
	err := s.Stream.Error()
	if err == nil {
		err = s.Stream.Context().Err()
	}
	s.end(err)
}

func (s *stream) Recv(m any) error {
	s.mu.Lock()
	s.receiving++
	s.mu.Unlock()
	err := s.Stream.Recv(m)
	s.mu.Lock()
	s.receiving--
	s.mu.Unlock()
	if err != nil || s.Stream.Context().Err() != nil { // the one answer of a client stream ends it without an error
		s.stop()
		s.end(err)
	}
	return err
}

func (s *stream) Close() error {
	err := s.Stream.Close()
	s.stop()
	s.end(err)
	return err
}
