package leader

import (
	"context"
	"sync"
	"time"
)

// local leads wherever it is asked to: there is no other process. Fences are higher than those of the process before by the clock;
// where that stepped back by more than the time between the two, stores refuse until it has caught up.
type local struct {
	*office
	mu    sync.Mutex
	turns map[string]chan struct{} // full while a duty is led: one process may stand for it twice
}

func newLocal(o *office) *local { return &local{office: o, turns: map[string]chan struct{}{}} }

// Lead implements Elector.
func (l *local) Lead(ctx context.Context, duty string, work Work) error {
	if err := validDuty(duty); err != nil {
		return err
	}
	l.standing(duty)
	turn := l.turn(duty)
	for ctx.Err() == nil {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		t := Term{Duty: duty, Node: l.process.Node, Fence: l.next(0), Since: time.Now()}
		l.enter(t)
		err := perform(ctx, t, work)
		l.leave(t, nil)
		<-turn
		if !l.rest(ctx, t, err) {
			return nil
		}
	}
	return nil
}

func (l *local) turn(duty string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turns[duty] == nil {
		l.turns[duty] = make(chan struct{}, 1)
	}
	return l.turns[duty]
}

// Leader implements Elector.
func (l *local) Leader(_ context.Context, duty string) (Holder, error) {
	for _, t := range l.Terms() {
		if t.Duty == duty {
			return Holder{Node: t.Node, Fence: t.Fence, Since: t.Since, Heartbeat: time.Now()}, nil
		}
	}
	return Holder{}, nobody(duty)
}
