package leader

import (
	"context"
	"time"
)

// cell is where the votes for one duty are kept: a record that its holder's session locks. All methods may be called concurrently;
// an error leaves open whether what was asked for has happened.
type cell interface {
	// read gives what is there. With an index of 0 it is what stands at this moment; otherwise read waits for what is newer than that
	// index, but no longer than wait, and then gives what is there, which may be a little old.
	read(ctx context.Context, index uint64, wait time.Duration) (view, error)
	// take writes a record under a session of its own, provided that nothing has changed since v, and reports whether it did.
	take(ctx context.Context, v view, r record) (session string, ok bool, err error)
	// beat writes a record in the place of the last one and reports whether session still has the lock.
	beat(ctx context.Context, session string, r record) (ok bool, err error)
	// release writes a last record, where session still has the lock, and ends the session.
	release(ctx context.Context, session string, r record) error
	// evict ends somebody's session, and with it the lock.
	evict(ctx context.Context, session string) error
}

// record is what a leader writes with every heartbeat.
type record struct {
	Node     string    `json:"node"`
	Fence    int64     `json:"fence"`
	Since    time.Time `json:"since"`
	Holder   string    `json:"holder"`             // one Lead in one process
	Beat     int64     `json:"beat"`               // counts the heartbeats of a term
	TTL      string    `json:"ttl"`                // that the leader works by; another's may differ
	At       time.Time `json:"at"`                 // for people: nothing is decided by it
	Released bool      `json:"released,omitempty"` // the work of the term has ended
}

// view is what read found.
type view struct {
	there   bool
	record  record
	session string // has the lock; empty: nobody has
	index   uint64 // of the answer, to wait for a newer one
	version uint64 // of the record
}

// beatOf tells one heartbeat from another.
type beatOf struct {
	holder      string
	fence, beat int64
	released    bool
}

// patience is how long nobody takes over after this heartbeat was seen.
func (r record) patience(or time.Duration) time.Duration {
	ttl, err := time.ParseDuration(r.TTL)
	if err != nil || ttl < shortest || ttl > longest {
		ttl = or
	}
	return ttl * 7 / 10
}

func (r record) id() beatOf { return beatOf{r.Holder, r.Fence, r.Beat, r.Released} }
