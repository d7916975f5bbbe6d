package rabbitmq

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/services/image/internal/job"
)

// A bundle is several messages in one of the broker's, for which it has the work of one. It is taken apart where it arrives: from there on each
// message has its own turn, verdict and counts, moves to other queues alone, and the bundle is acknowledged when the last of them is done with.
// A bundle whose consumer dies comes again whole, and is taken apart for the suspects like any other message.
const (
	bundleType  = "calotype.bundle" // the AMQP type; other messages have none
	bundleBytes = 64 << 10          // a message that would make a bundle larger begins the next
)

var errBundle = errors.New("the bundle is cut off")

// bundles puts neighbours that may travel together into one.
func bundles(messages []job.Message) (all [][]job.Message) {
	for len(messages) > 0 {
		n, size := 1, len(messages[0].Body)
		for n < min(len(messages), messages[0].Together) && messages[n].Class.OrNormal() == messages[0].Class.OrNormal() {
			if size += len(messages[n].Body); size > bundleBytes {
				break
			}
			n++
		}
		all, messages = append(all, messages[:n]), messages[n:]
	}
	return all
}

// together puts messages of one class into the broker's form.
func together(messages []job.Message, now time.Time) amqp.Publishing {
	first := messages[0]
	if len(messages) == 1 {
		return publishing(first, counted{published: now})
	}
	var body []byte
	for _, m := range messages {
		body = appendText(body, m.ID)
		body = binary.AppendUvarint(body, uint64(len(m.Headers)))
		for k, v := range m.Headers {
			body = appendText(appendText(body, k), v)
		}
		body = appendText(body, m.Body)
	}
	p := publishing(job.Message{ID: first.ID, Class: first.Class, Body: body}, counted{published: now})
	p.Type = bundleType
	return p
}

func appendText[T string | []byte](to []byte, text T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// apart takes the body of a bundle apart.
func apart(body []byte, class job.Class) (all []job.Message, err error) {
	r := reader{left: body}
	for len(r.left) > 0 && !r.cut {
		m := job.Message{ID: string(r.text()), Class: class, Headers: map[string]string{}}
		for n := r.number(); n > 0 && !r.cut; n-- {
			k := string(r.text())
			m.Headers[k] = string(r.text())
		}
		m.Body = r.text()
		all = append(all, m)
	}
	if r.cut || len(all) == 0 {
		return nil, errBundle
	}
	return all, nil
}

// reader reads what the functions above write.
type reader struct {
	left []byte
	cut  bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.left)
	if size <= 0 {
		r.cut = true
		return 0
	}
	r.left = r.left[size:]
	return n
}

func (r *reader) text() []byte {
	n := r.number()
	if r.cut || n > uint64(len(r.left)) {
		r.cut = true
		return nil
	}
	t := r.left[:n:n]
	r.left = r.left[n:]
	return t
}

// share acknowledges a delivery of the broker's when each of its messages is done with.
func share(n int, ack func() error) func() error {
	var left atomic.Int64
	left.Store(int64(n))
	return func() error {
		if left.Add(-1) > 0 {
			return nil
		}
		return ack()
	}
}

// loads remembers about how many messages are in one of the broker's, of those that were published last.
type loads struct {
	mu   sync.Mutex
	mean map[string]float64 // by queue
}

func (l *loads) sent(queue string, messages int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mean == nil {
		l.mean = map[string]float64{}
	}
	if l.mean[queue] == 0 {
		l.mean[queue] = float64(messages)
	}
	l.mean[queue] += (float64(messages) - l.mean[queue]) / 16
}

// in estimates how many messages stand in a queue that has so many of the broker's.
func (l *loads) in(queue string, n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(float64(n)*max(1, l.mean[queue]) + .5)
}
