package manager

import (
	"fmt"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

func TestReceivers(t *testing.T) {
	now := time.Now()
	r := newReceivers(WebhookConfig{Concurrency: 10, PerHost: 3, Timeout: 15 * time.Second})
	n := 0
	notice := func(host string) claimed {
		n++
		return claimed{job.Webhook{ID: job.WebhookID(fmt.Sprint(n)), URL: "http://" + host + "/x"}, now.Add(27 * time.Second)}
	}
	for range 8 {
		r.offer(notice("a"))
	}
	begun, _ := r.next(now)
	if len(begun) != 3 || r.running != 3 || r.waiting != 5 || r.room() != 5 {
		t.Fatalf("%d begun of a host, %d wait, room for %d", len(begun), r.waiting, r.room())
	}
	r.offer(begun[0])                // claimed again while it is sent
	r.offer(r.hosts["a"].waiting[2]) // or while it waits
	if more, back := r.next(now); r.waiting != 5 || len(more)+len(back) != 0 {
		t.Errorf("%d wait, %d begun, %d back", r.waiting, len(more), len(back))
	}
	next := begun[1]
	next.Attempts++
	r.offer(next) // its next attempt, claimed before the end of this one was heard of
	if more, _ := r.next(now); len(more) != 0 || r.waiting != 6 {
		t.Errorf("%d begun, %d wait", len(more), r.waiting)
	}
	r.sent(begun[1], 0)
	if more, _ := r.next(now); len(more) != 1 || r.running != 4 { // another; what is noted takes no host's time
		t.Errorf("%d begun, %d under way", len(more), r.running)
	} else {
		r.sent(more[0], 0)
		r.done(more[0])
	}
	r.done(begun[1])
	more, _ := r.next(now)
	if len(more) != 1 || r.waiting != 4 {
		t.Errorf("%d begun, %d wait", len(more), r.waiting)
	}
	begun[1] = more[0]
	r.offer(notice("a"))
	// While none has answered, the one that is longest under way tells how long it takes.
	var away []time.Duration
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{time.Second, 5}, {1500 * time.Millisecond, 4}, {2100 * time.Millisecond, 2}, {6100 * time.Millisecond, 0}} {
		_, back := r.next(now.Add(c.after))
		for _, b := range back {
			away = append(away, b.away.Round(10*time.Millisecond))
		}
		if r.waiting != c.want {
			t.Errorf("%d wait after %v, want %d", r.waiting, c.after, c.want)
		}
	}
	if fmt.Sprint(away) != "[2.5s 2.7s 3.4s 4.03s 6.07s]" || r.room() != 10 {
		t.Errorf("handed back for %v, room for %d", away, r.room())
	}
	r.offer(notice("b"))
	if begun, _ := r.next(now.Add(7 * time.Second)); len(begun) != 1 {
		t.Errorf("%d begun of another host", len(begun))
	}
	// A host that answers is trusted again.
	for _, c := range begun {
		r.sent(c, 8*time.Second)
		r.done(c)
	}
	for range 20 {
		r.offer(notice("a"))
		begun, _ := r.next(now.Add(9 * time.Second))
		for _, c := range begun {
			r.sent(c, time.Millisecond)
			r.done(c)
		}
	}
	for range 9 {
		r.offer(notice("a"))
	}
	if begun, _ := r.next(now.Add(10 * time.Second)); len(begun) != 3 || r.waiting != 6 {
		t.Errorf("%d begun, %d wait", len(begun), r.waiting)
	}
	if back := r.leave(); len(back) != 6 || back[0].away != 0 || r.waiting != 0 {
		t.Errorf("%d handed back", len(back))
	}
	// What may be another's before it is done is let go.
	late := newReceivers(WebhookConfig{Concurrency: 10, PerHost: 3, Timeout: 15 * time.Second})
	late.offer(notice("a"))
	if begun, _ := late.next(now.Add(13 * time.Second)); len(begun) != 0 || late.waiting != 0 || len(late.hosts) != 0 {
		t.Errorf("%d begun, %d wait, %d hosts", len(begun), late.waiting, len(late.hosts))
	}
	// All hosts together have a bound too.
	many := newReceivers(WebhookConfig{Concurrency: 4, PerHost: 3, Timeout: 15 * time.Second})
	for i := range 8 {
		many.offer(notice(fmt.Sprint("host", i/2)))
	}
	if begun, _ := many.next(now); len(begun) != 4 || many.waiting != 4 || many.room() != 0 {
		t.Errorf("%d begun, %d wait", len(begun), many.waiting)
	}
}
