package litequeue

import (
	"context"
	"time"

	"calotype/services/image/internal/job"
)

// lease is a delivery that a consumer owns until it is settled or lost.
type lease struct {
	job.Delivery
	q      *Queue
	topic  string
	seq    int64
	until  time.Time // read by the clock that never jumps
	ctx    context.Context
	cancel context.CancelFunc
	expiry *time.Timer
}

// start begins the clock: without renewal, the lease's context ends when the lease does.
func (l *lease) start(ctx context.Context) {
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.expiry = time.AfterFunc(time.Until(l.until), l.cancel)
}

func (l *lease) stop() {
	l.expiry.Stop()
	l.cancel()
}

// owned is the condition under which a lease still holds; it takes seq and attempt. A message that waits to be tried again has
// the attempt of its last lease, but no owner: a renewal that comes late must not touch it.
const owned = " WHERE seq = ? AND attempt = ? AND leased = 1"

func (l *lease) done(t tx) error {
	_, err := t.exec("DELETE FROM messages"+owned, l.seq, l.Attempt)
	return err
}

func (l *lease) again(t tx, after time.Duration) error {
	_, err := t.exec("UPDATE messages SET leased = 0, due = ?"+owned, millis(time.Now().Add(after)), l.seq, l.Attempt)
	return err
}

// lose ends the lease before its time; whoever takes the message next counts a loss.
func (l *lease) lose(t tx) error {
	_, err := t.exec("UPDATE messages SET due = ?"+owned, millis(time.Now()), l.seq, l.Attempt)
	return err
}

func (l *lease) setAside(t tx, reason string) error {
	changed, err := t.exec("DELETE FROM messages"+owned, l.seq, l.Attempt)
	if err != nil || changed == 0 {
		return err
	}
	return t.dead(l.topic, l.Message, reason)
}

// renew makes a lease longer, and reports whether it still holds.
func (l *lease) renew(t tx, until time.Time) (bool, error) {
	changed, err := t.exec("UPDATE messages SET due = ?"+owned, millis(until), l.seq, l.Attempt)
	return changed == 1, err
}

// settle writes down what was decided, as long as the lease holds, and reports whether it could.
func (l *lease) settle(v job.Verdict, panicked bool) bool {
	for tries := 0; l.ctx.Err() == nil; tries++ {
		err := l.q.do(l.ctx, false, func(t tx) error {
			switch {
			case panicked:
				return l.lose(t)
			case v.IsSetAside():
				return l.setAside(t, v.Reason)
			case v.IsAgain():
				return l.again(t, v.After)
			}
			return l.done(t)
		})
		switch {
		case err == nil && v.IsSetAside():
			l.q.counts.setAside.Add(1)
			l.q.wake(l.topic + deadSuffix)
			return true
		case err == nil:
			if panicked || v.IsAgain() {
				l.q.wake(l.topic)
			}
			return true
		}
		if l.ctx.Err() != nil {
			break
		}
		l.q.log.Warn("what became of a message cannot be written down", "topic", l.topic, "message", l.ID, "attempt", l.Attempt, "error", err)
		l.q.pause(l.ctx, tries)
	}
	return false
}
