package rpc

import (
	"testing"
	"time"
)

func TestTheBudgetFollowsTheCalls(t *testing.T) {
	b := newBudget(0.2, 3)
	at := func(s int) int64 { return int64(time.Duration(s) * time.Second) }
	spend := func(clock int64) (n int) {
		for b.retryAt(clock) {
			n++
		}
		return n
	}
	if n := spend(at(1)); n != 30 {
		t.Errorf("without calls %d retries are allowed, want 3 a second for ten seconds", n)
	}
	for range 100 {
		b.call(at(2))
	}
	if n := spend(at(3)); n != 20 {
		t.Errorf("100 calls pay %d retries, want a fifth", n)
	}
	if n := spend(at(11)); n != 30 { // the first 30 are past, the second's 20 and its calls are not
		t.Errorf("ten seconds after the first retries %d are allowed, want 30", n)
	}
	if n := spend(at(60)); n != 30 {
		t.Errorf("after a minute %d are allowed, want 30", n)
	}
}
