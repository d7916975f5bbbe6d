package rabbitmq

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/services/image/internal/job"
)

// settle does what was decided. What moves to another queue is confirmed there before it is taken from this one; whoever dies in between
// leaves a copy, not a gap.
func (d *delivery) settle(ctx context.Context, v job.Verdict, panicked bool) {
	after := d.counts
	after.attempts, after.passed = d.Attempt, 0
	switch {
	case panicked:
		after.lost++
		d.move(ctx, d.s.suspect(d.Message, after))
		signal(d.s.suspected)
	case v.IsSetAside():
		d.move(ctx, d.s.aside(d.Message, v.Reason))
	case v.IsAgain():
		d.move(ctx, d.s.again(d.Message, after, v.After))
	default:
		d.finish()
	}
}

// move publishes for as long as the delivery is ours, then takes it from its queue.
func (d *delivery) move(ctx context.Context, e envelope) {
	for tries := 0; ctx.Err() == nil; tries++ {
		err := d.c.q.send(ctx, e)
		if err == nil {
			d.finish()
			return
		}
		if closed(d.c.q.closing) {
			return
		}
		d.c.q.log.Warn("what became of a message cannot be written down", "topic", d.c.topic, "message", d.ID, "attempt", d.Attempt, "error", err)
		d.c.q.wait(ctx, tries)
	}
}

// finish takes the message from its queue. Where that fails the connection is gone, and the message comes again.
func (d *delivery) finish() { _ = d.ack() }

// again waits for its time, and then for a consumer.
func (s *session) again(m job.Message, after counted, wait time.Duration) envelope {
	q, topic := s.c.q, s.c.topic
	e := envelope{topic: topic, key: q.ready(topic, m.Class)}
	if after.due = (time.Time{}); wait > 0 {
		if wait > unit*(1<<steps-1) {
			after.due = time.Now().Add(wait)
		}
		e.exchange, e.key = q.delay(e.key, wait)
		e.delayed = true
	}
	e.message = publishing(m, after)
	return e
}

// suspect waits for a consumer that has nothing else to do, or is set aside where it was lost too often.
func (s *session) suspect(m job.Message, after counted) envelope {
	q, topic := s.c.q, s.c.topic
	if !limited(topic) {
		return envelope{topic: topic, key: q.ready(topic, m.Class), message: publishing(m, after)}
	}
	if after.lost >= q.cfg.MaxDeliveries {
		return s.aside(m, fmt.Sprintf("each of %d deliveries was lost: the consumer died or stopped answering", after.lost))
	}
	return envelope{topic: topic, key: q.suspects(topic), message: publishing(m, after)}
}

// aside is a dead letter. Its deliveries count anew.
func (s *session) aside(m job.Message, reason string) envelope {
	q := s.c.q
	q.counts.setAside.Add(1)
	m.Headers[headerReason] = reason
	topic := s.c.topic
	if limited(topic) {
		topic += deadSuffix
	}
	return envelope{topic: topic, key: q.cfg.Prefix + topic, message: publishing(m, counted{published: time.Now()})}
}

// takeApart makes deliveries of what came of a subscription.
func (s *session) takeApart(a arrival) []*delivery {
	whole, acks := s.take(a.Delivery, false), s.subs[a.class].acks
	whole.ack = func() error { return acks.ack(a.DeliveryTag) }
	if a.Type != bundleType {
		return []*delivery{whole}
	}
	messages, err := apart(whole.Body, whole.Class)
	if err != nil { // it is handled, and set aside, as the one message that it is
		s.c.q.log.Error("a bundle cannot be taken apart", "topic", s.c.topic, "message", whole.ID, "error", err)
		return []*delivery{whole}
	}
	ack := share(len(messages), whole.ack)
	all := make([]*delivery, len(messages))
	for i, m := range messages {
		if reason := whole.Headers[headerReason]; reason != "" {
			m.Headers[headerReason] = reason
		}
		all[i] = &delivery{
			Delivery: job.Delivery{Message: m, Attempt: whole.Attempt}, c: s.c, s: s, counts: whole.counts, since: whole.since, ack: ack,
		}
	}
	return all
}

// take makes a delivery of what the broker sent.
func (s *session) take(d amqp.Delivery, suspect bool) *delivery {
	m, counts := received(d, suspect || !limited(s.c.topic))
	if !limited(s.c.topic) && m.Headers[headerReason] == "" {
		m.Headers[headerReason] = "the broker set it aside: too many of its consumers died"
	}
	s.c.q.ages.saw(s.c.topic, m.Class, d.Timestamp)
	return &delivery{
		Delivery: job.Delivery{Message: m, Attempt: counts.attempts + 1}, c: s.c, s: s, counts: counts, since: time.Now(),
		ack: func() error { return d.Ack(false) },
	}
}
