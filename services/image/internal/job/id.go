package job

import (
	"crypto/rand"
	"io"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// IDs makes identifiers that sort by the time they were made, also within a millisecond and when the clock is set back. It may be
// used concurrently.
type IDs struct {
	mu      sync.Mutex
	entropy io.Reader
	last    uint64
}

// NewIDs begins a sequence of its own; two never give the same identifier.
func NewIDs() *IDs {
	return &IDs{entropy: ulid.Monotonic(rand.Reader, 0)}
}

// Image names an original made at a time.
func (g *IDs) Image(at time.Time) ImageID { return ImageID(imagePrefix + g.next(at)) }

// Job names a job made at a time.
func (g *IDs) Job(at time.Time) ID { return ID(jobPrefix + g.next(at)) }

// Batch names a batch made at a time.
func (g *IDs) Batch(at time.Time) BatchID { return BatchID(batchPrefix + g.next(at)) }

const (
	imagePrefix = "img_"
	jobPrefix   = "job_"
	batchPrefix = "bat_"
)

func (g *IDs) next(at time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last, ulid.Timestamp(at))
	id, err := ulid.New(g.last, g.entropy)
	for err != nil { // the millisecond ran over (after 2^80 at the latest): borrow from the next
		g.last++
		id, err = ulid.New(g.last, g.entropy)
	}
	return id.String()
}

// Valid reports whether d has the form of a sha256 in lower-case hexadecimal.
func (d Digest) Valid() bool {
	if len(d) != 64 {
		return false
	}
	for _, c := range []byte(d) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
