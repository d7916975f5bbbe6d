package events

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"calotype/gateway/internal/rest"
	imagev1 "calotype/proto/image/v1"
)

// stream writes server-sent events. The headers go out with the first thing written.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	began    bool
}

func newStream(w http.ResponseWriter, patience time.Duration) *stream {
	return &stream{w: w, control: http.NewResponseController(w), patience: patience}
}

func (s *stream) event(e *imagev1.JobEvent) error {
	data, err := rest.Marshal(e)
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.GetSequence(), strings.ToLower(e.GetState().String()), data))
}

func (s *stream) comment(text string) error { return s.write(": " + text + "\n\n") }

func (s *stream) write(text string) error {
	if !s.began {
		s.began = true
		h := s.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // nginx hands events on as they come
		s.w.WriteHeader(http.StatusOK)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience)) // a test's writer may have none
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
