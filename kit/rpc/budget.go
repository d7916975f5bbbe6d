package rpc

import (
	"sync"
	"sync/atomic"
	"time"

	"calotype/kit/rpc/internal/cluster"
)

// budget bounds retries to a share of the calls of the last seconds, plus a few, after Finagle's RetryBudget: where a whole
// service fails, retries add a fifth to its load and do not multiply it. Counting a call takes no lock: at the turn of a second a
// few may go uncounted.
type budget struct {
	share  float64
	perSec float64
	mu     sync.Mutex // one retry is decided at a time
	slots  [budgetSeconds]slot
}

type slot struct{ second, calls, retries atomic.Int64 }

const budgetSeconds = 10

func newBudget(share, perSec float64) *budget {
	b := &budget{share: share, perSec: perSec}
	for i := range b.slots {
		b.slots[i].second.Store(-budgetSeconds)
	}
	return b
}

// call counts a first attempt, at a moment of the cluster's clock.
func (b *budget) call(now int64) { b.slot(now / int64(time.Second)).calls.Add(1) }

// retry tells whether one more attempt may be made, and counts it.
func (b *budget) retry() bool { return b.retryAt(cluster.Clock()) }

func (b *budget) retryAt(clock int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := clock / int64(time.Second)
	mine := b.slot(now)
	var calls, retries int64
	for i := range b.slots {
		if s := &b.slots[i]; now-s.second.Load() < budgetSeconds {
			calls += s.calls.Load()
			retries += s.retries.Load()
		}
	}
	if float64(retries) >= b.share*float64(calls)+b.perSec*budgetSeconds {
		return false
	}
	mine.retries.Add(1)
	return true
}

func (b *budget) slot(second int64) *slot {
	s := &b.slots[second%budgetSeconds]
	if was := s.second.Load(); was != second && s.second.CompareAndSwap(was, second) {
		s.calls.Store(0)
		s.retries.Store(0)
	}
	return s
}
