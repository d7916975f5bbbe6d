package events

import (
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"calotype/gateway/internal/rest"
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

// news is one thing to tell: its name, its id where it has one, and the message.
type news struct {
	name    string
	id      int64
	message proto.Message
}

func (s *stream) event(n news) error {
	data, err := rest.Marshal(n.message)
	if err != nil {
		return err
	}
	id := ""
	if n.id > 0 {
		id = fmt.Sprintf("id: %d\n", n.id)
	}
	return s.write(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, n.name, data))
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
