// Package crew runs short functions on goroutines that stay for a while: one that is made for a function spends a tenth of its time on
// growing its stack.
package crew

import "time"

// rest is how long a goroutine waits for more to do.
const rest = time.Second

// Crew is such goroutines, as many as functions run at once, and for a while more. It needs no end.
type Crew struct{ work chan func() }

// New makes a crew of nobody.
func New() *Crew { return &Crew{work: make(chan func())} }

// Go runs f, which must not panic, on a goroutine that has nothing to do, or else on a new one. It never waits.
func (c *Crew) Go(f func()) {
	select {
	case c.work <- f:
	default:
		go c.stay(f)
	}
}

func (c *Crew) stay(f func()) {
	over := time.NewTimer(rest)
	defer over.Stop()
	for {
		f()
		over.Reset(rest)
		select {
		case f = <-c.work:
		case <-over.C:
			return
		}
	}
}
