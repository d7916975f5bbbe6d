package manager

import (
	"context"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

const (
	recentFor  = 5 * time.Second
	recentMost = 1000
)

// recent remembers for a moment the images that jobs were asked for, since many are often asked for on one. An image never changes, and
// whether it is still there the store finds out anew when it keeps a job on it.
type recent struct {
	images job.Images
	now    func() time.Time
	mu     sync.Mutex
	seen   map[job.ImageID]sighting
}

type sighting struct {
	job.Image
	at time.Time
}

// Image finds one, or fault.NotFound.
func (r *recent) Image(ctx context.Context, id job.ImageID) (job.Image, error) {
	r.mu.Lock()
	s, ok := r.seen[id]
	r.mu.Unlock()
	if ok && r.now().Sub(s.at) < recentFor {
		return s.Image, nil
	}
	im, err := r.images.Image(ctx, id)
	if err != nil {
		return im, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || len(r.seen) >= recentMost {
		r.seen = map[job.ImageID]sighting{}
	}
	r.seen[id] = sighting{im, r.now()}
	return im, nil
}
