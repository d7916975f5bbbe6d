package pipeline

import (
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

// The phases of a rendering. A variant that is made row by row is decoded while it is rendered.
const (
	decoding  = "decoding"
	rendering = "rendering"
)

// glance is how often is looked how far libvips is.
const glance = 200 * time.Millisecond

// progress tells how far a call of Render is: in parts that count alike, each decode that is held and each variant.
type progress struct {
	tell  func(job.Progress)
	reins *reins
	parts int

	mu   sync.Mutex
	now  job.Progress
	done int
}

// watch tells until stop is called. Tell is never called by two at once.
func (p *progress) watch() (stop func()) {
	if p.tell == nil {
		return func() {}
	}
	over, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(glance)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				p.say()
			}
		}
	}()
	return func() {
		close(over)
		<-gone
	}
}

// begin says what the next part is.
func (p *progress) begin(phase string) {
	p.reins.rewind()
	p.mu.Lock()
	p.now.Phase = phase
	p.mu.Unlock()
	p.say()
}

func (p *progress) finish() {
	p.reins.rewind()
	p.mu.Lock()
	p.done++
	p.mu.Unlock()
}

// say tells. What libvips computes in several passes goes back to 0 in between; what is told does not.
func (p *progress) say() {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if percent := (p.done*100 + p.reins.percent()) / p.parts; percent > p.now.Percent {
		p.now.Percent = min(percent, 100)
	}
	p.tell(p.now)
}
