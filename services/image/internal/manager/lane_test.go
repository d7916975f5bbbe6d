package manager

import (
	"context"
	"errors"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// line plays the tasks of a class in the queue, on a clock of its own.
type line struct {
	job.Queue
	now          time.Time
	ready, later int
	nodes        int
	err          error
}

func (l *line) Depth(_ context.Context, topic string, classes ...job.Class) (job.Depth, error) {
	if topic != job.Tasks || len(classes) != 1 || classes[0] != job.Bulk {
		return job.Depth{}, errors.New("another line was asked for")
	}
	return job.Depth{Ready: l.ready + l.later, Later: l.later, Consumers: l.nodes}, l.err
}

// relay gives the line what the lane has room for, and works off rate tasks a second, for a while. It returns the most that ever stood
// there in the last second.
func (l *line) relay(t *testing.T, lane *lane, rate float64, d time.Duration) (most int) {
	t.Helper()
	worked := 0.0
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(relayFull) {
		space, err := lane.space(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lane.gave(space)
		l.ready += space
		if end.Sub(l.now) <= time.Second {
			most = max(most, l.ready)
		}
		for worked += rate * relayFull.Seconds(); worked >= 1 && l.ready > 0; worked-- {
			l.ready--
		}
	}
	return most
}

func TestTheWindowFollowsTheRate(t *testing.T) {
	l := &line{now: time.Unix(1000, 0)}
	lane := &lane{class: job.Bulk, queue: l, now: func() time.Time { return l.now }}
	for _, c := range []struct {
		rate        float64
		least, most int
	}{
		{0, leastWindow, leastWindow}, // nobody works
		{10, leastWindow, leastWindow},
		{1000, 900, 1100}, // a second's work
		{3000, 2700, 3300},
		{200, 180, 220},
		{0, leastWindow, 220}, // what stands there stands there
		{5, leastWindow, 220},
		{1000, 900, 1100},
	} {
		if most := l.relay(t, lane, c.rate, 30*time.Second); most < c.least || most > c.most {
			t.Errorf("at %v a second %d tasks stood in the queue, want %d..%d", c.rate, most, c.least, c.most)
		}
	}
	if l.relay(t, lane, 0, time.Second); l.ready < 900 {
		t.Fatalf("%d stand there", l.ready)
	}
	l.ready = 0 // nothing for a while
	l.now = l.now.Add(time.Minute)
	if space, err := lane.space(t.Context()); err != nil || space != leastWindow {
		t.Errorf("after a minute's rest the window is %d, %v", space, err)
	}
}

// Only where a node takes so many a second that a bundle is nothing to it do tasks travel together.
func TestWhatIsQuicklyDoneTravelsTogether(t *testing.T) {
	for _, c := range []struct {
		rate        float64
		nodes       int
		least, most int
	}{
		{5000, 0, 1, 1}, // who knows
		{0, 2, 1, 1},
		{150, 1, 1, 1},
		{150, 10, 1, 1},
		{600, 1, 5, 7},
		{600, 3, 1, 2},
		{10_000, 1, mostTogether, mostTogether},
		{10_000, 20, 4, 6},
	} {
		l := &line{now: time.Unix(1000, 0), nodes: c.nodes}
		lane := &lane{class: job.Bulk, queue: l, now: func() time.Time { return l.now }}
		l.relay(t, lane, c.rate, 10*time.Second)
		if n := lane.together(); n < c.least || n > c.most {
			t.Errorf("%v a second on %d nodes: %d travel together, want %d..%d", c.rate, c.nodes, n, c.least, c.most)
		}
	}
}

// Tasks that failed and wait for their next attempt keep nobody else from the queue.
func TestWhatWaitsForItsTimeTakesNoRoom(t *testing.T) {
	l := &line{now: time.Unix(1000, 0), later: 5000}
	lane := &lane{class: job.Bulk, queue: l, now: func() time.Time { return l.now }}
	if space, err := lane.space(t.Context()); err != nil || space != leastWindow {
		t.Errorf("there is room for %d, %v", space, err)
	}
}

func TestALaneOfAQueueThatIsAway(t *testing.T) {
	l := &line{now: time.Unix(1000, 0)}
	lane := &lane{class: job.Bulk, queue: l, now: func() time.Time { return l.now }}
	if _, err := lane.space(t.Context()); err != nil {
		t.Fatal(err)
	}
	lane.gave(leastWindow)
	l.err = errors.New("away")
	if space, err := lane.space(t.Context()); space != 0 || !errors.Is(err, l.err) {
		t.Errorf("there is room for %d, %v", space, err)
	}
	l.err, l.ready = nil, leastWindow
	if space, err := lane.space(t.Context()); err != nil || space != 0 {
		t.Errorf("back again there is room for %d, %v", space, err)
	}
}
