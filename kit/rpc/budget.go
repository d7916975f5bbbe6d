package rpc

import (
	"sync"
	"time"
)

// budget bounds retries to a share of the calls of the last seconds, plus a few, after Finagle's RetryBudget: where a whole
// service fails, retries add a fifth to its load and do not multiply it.
type budget struct {
	share  float64
	perSec float64
	now    func() time.Time
	mu     sync.Mutex
	slots  [budgetSeconds]struct{ second, calls, retries int64 }
}

const budgetSeconds = 10

func newBudget(share, perSec float64) *budget {
	return &budget{share: share, perSec: perSec, now: time.Now}
}

// call counts a first attempt.
func (b *budget) call() {
	b.mu.Lock()
	b.slot(b.now().Unix()).calls++
	b.mu.Unlock()
}

// retry tells whether one more attempt may be made, and counts it.
func (b *budget) retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now().Unix()
	slot := b.slot(now)
	var calls, retries int64
	for i := range b.slots {
		if now-b.slots[i].second < budgetSeconds {
			calls += b.slots[i].calls
			retries += b.slots[i].retries
		}
	}
	if float64(retries) >= b.share*float64(calls)+b.perSec*budgetSeconds {
		return false
	}
	slot.retries++
	return true
}

func (b *budget) slot(second int64) *struct{ second, calls, retries int64 } {
	s := &b.slots[second%budgetSeconds]
	if s.second != second {
		s.second, s.calls, s.retries = second, 0, 0
	}
	return s
}
