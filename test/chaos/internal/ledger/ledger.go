// Package ledger keeps, outside of Calotype, what Calotype acknowledged, and compares it afterwards with what became of it.
package ledger

import (
	"errors"
	"slices"
	"sync"
	"time"

	"calotype/test/caller"
)

// Entry is what a caller knows of one upload that began a job.
type Entry struct {
	Key      string // of idempotency
	Picture  int    // which of the pictures it was
	Original string // the sha256 of what was sent; empty is not looked at
	Took     time.Duration
	Image    string
	Job      string
}

// Ledger keeps entries. Its zero value is an empty one.
type Ledger struct {
	mu       sync.Mutex
	acked    []Entry
	givenUp  []error
	refusals int
}

// Take notes the answer to an upload: nil when it was acknowledged, and an error otherwise, which is counted.
func (l *Ledger) Take(e *Entry, a caller.Answer, err error) error {
	if err == nil {
		err = e.read(a)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refusals++
		return err
	}
	l.acked = append(l.acked, *e)
	return nil
}

func (e *Entry) read(a caller.Answer) error {
	made, err := a.Created()
	switch {
	case err != nil:
		return err
	case made.GetJob() == nil:
		return errors.New("it was acknowledged without its job")
	case e.Original != "" && made.GetImage().GetDigest() != e.Original:
		return errors.New("it was acknowledged with another digest than that of what was sent")
	}
	e.Image, e.Job = made.GetImage().GetId(), made.GetJob().GetId()
	return nil
}

// GiveUp notes that a caller repeats an upload no more: allowed, and told.
func (l *Ledger) GiveUp(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.givenUp = append(l.givenUp, err)
}

// Acked are the entries that were acknowledged so far.
func (l *Ledger) Acked() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked)
}

// Refusals tells how many uploads got another answer than 201, or none, and of how many nothing was heard in the end.
func (l *Ledger) Refusals() (refused, givenUp int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusals, len(l.givenUp)
}

// Quantile is how long callers waited for the acknowledgement.
func (l *Ledger) Quantile(q float64) time.Duration {
	var took []time.Duration
	for _, e := range l.Acked() {
		took = append(took, e.Took)
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[int(q*float64(len(took)-1))]
}
