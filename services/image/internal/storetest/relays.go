package storetest

import (
	"context"
	"errors"
	"testing"

	"calotype/services/image/internal/job"
)

// While a relay speaks to a queue that takes its time, the store goes on with everything else, and nothing is lost when the
// queue refuses in the end.
func testRelayHolds(t *testing.T, suite Suite) {
	s := suite.Open(t)
	other := suite.Reopen(t, s)
	im := anImage(t, s, 1)
	first := ask(t, s, im, 4, job.Wishes{Tenant: "a"})
	var more []string
	away := errors.New("the broker is away")
	_, err := s.Relay(t.Context(), job.Normal, 2, func(context.Context, []job.Outgoing) error {
		more = ask(t, other, im, 2, job.Wishes{Tenant: "a"})
		if n, err := other.Backlog(t.Context()); n != 6 || err != nil {
			t.Errorf("backlog %d, %v", n, err)
		}
		report(t, other, finished(withWishes(t, other, job.Wishes{Class: job.Bulk})))
		if got := take(t, other, job.Bulk, 9); len(got) != 1 {
			t.Errorf("%d of another class", len(got))
		}
		return away
	})
	if !errors.Is(err, away) {
		t.Fatal(err)
	}
	same(t, "all, in order", append(first, more...), of(take(t, other, job.Normal, 9), "a"))
}

// An image can be forgotten while its messages are on their way to a queue that does not answer.
func testForgetWhileRelayed(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im, j := withImage(t, s)
	_, err := s.Relay(t.Context(), job.Normal, 9, func(context.Context, []job.Outgoing) error {
		left, err := s.Forget(t.Context(), im.ID)
		same(t, "jobs that had not ended", []job.ID{j.ID}, must[[]job.ID](t)(left, err))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sent := drain(t, s); len(sent) > 0 {
		t.Errorf("left in the outbox: %v", sent)
	}
}
