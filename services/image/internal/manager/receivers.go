package manager

import (
	"net/url"
	"slices"
	"time"

	"calotype/services/image/internal/job"
)

const (
	// patience is how long a notice that was claimed may wait for its host to be less busy. One that would wait longer is handed back,
	// to be due when the host has worked off what is before it, but no later than after mostTurns: a host may become quicker.
	patience  = 2 * time.Second
	mostTurns = 20 // times what an attempt takes
)

// receivers decide which claimed notices are sent now. They bound what is under way in all and to each host, and keep those that wait
// for slow hosts from taking the room of the rest. They are not for concurrent use.
type receivers struct {
	most, each int           // may be under way in all, and be sent to one host
	timeout    time.Duration // of an attempt
	running    int           // begun, and not yet noted in the store
	waiting    int
	hosts      map[string]*receiver
}

// receiver is a host.
type receiver struct {
	running map[job.WebhookID]underWay
	sending int // of them
	waiting []claimed
	took    time.Duration // what an attempt took lately
	busy    time.Time     // until when it is with what was handed back
}

// claimed is a notice in our hands.
type claimed struct {
	job.Webhook
	until time.Time // when others may claim it
}

type underWay struct {
	attempts int // that had ended when it began
	since    time.Time
	sent     bool
}

// returned is a notice to hand back, due after a while.
type returned struct {
	claimed
	away time.Duration
}

func newReceivers(cfg WebhookConfig) *receivers {
	return &receivers{most: cfg.Concurrency, each: cfg.PerHost, timeout: cfg.Timeout, hosts: map[string]*receiver{}}
}

// room is how many more may wait.
func (r *receivers) room() int { return max(0, r.most-r.waiting) }

// offer takes in a notice, unless the same attempt at it is here already.
func (r *receivers) offer(c claimed) {
	host := hostOf(c.URL)
	to := r.hosts[host]
	if to == nil {
		to = &receiver{running: map[job.WebhookID]underWay{}}
		r.hosts[host] = to
	}
	again := slices.IndexFunc(to.waiting, func(w claimed) bool { return w.ID == c.ID })
	switch now, busy := to.running[c.ID]; {
	case busy && now.attempts == c.Attempts:
	case again >= 0:
		to.waiting[again] = c
	default:
		to.waiting = append(to.waiting, c)
		r.waiting++
	}
}

// next gives the notices to be sent now, and those that would wait too long.
func (r *receivers) next(now time.Time) (begin []claimed, back []returned) {
	for host, to := range r.hosts {
		for to.sending < r.each && r.running < r.most {
			i := slices.IndexFunc(to.waiting, func(c claimed) bool { _, busy := to.running[c.ID]; return !busy })
			if i < 0 {
				break
			}
			c := to.take(i)
			r.waiting--
			if now.Add(r.timeout).After(c.until) {
				continue // it may be another's before it is done
			}
			to.running[c.ID] = underWay{attempts: c.Attempts, since: now}
			to.sending++
			r.running++
			begin = append(begin, c)
		}
		keep, turn := to.bears(r.each, now)
		for len(to.waiting) > keep {
			if to.busy.Before(now.Add(patience)) {
				to.busy = now.Add(patience)
			}
			to.busy = to.busy.Add(turn / time.Duration(r.each))
			back = append(back, returned{to.take(len(to.waiting) - 1), min(to.busy.Sub(now), patience+mostTurns*turn)})
			r.waiting--
		}
		if len(to.running) == 0 && len(to.waiting) == 0 && to.busy.Before(now) {
			delete(r.hosts, host)
		}
	}
	return begin, back
}

func (to *receiver) take(i int) claimed {
	c := to.waiting[i]
	to.waiting = slices.Delete(to.waiting, i, i+1)
	return c
}

// bears is how many notices can wait for a host without waiting too long, and how long it takes for one: as long as lately, or, while
// all that may be sent at once is, as long as nothing has come of any.
func (to *receiver) bears(each int, now time.Time) (keep int, turn time.Duration) {
	turn = to.took
	if to.sending == each {
		var last time.Time
		for _, begun := range to.running {
			if !begun.sent && begun.since.After(last) {
				last = begun.since
			}
		}
		turn = max(turn, now.Sub(last))
	}
	if turn <= 0 {
		return len(to.waiting), 0
	}
	return int(patience * time.Duration(each) / turn), turn
}

// sent notes that a host has answered, or not, and how long it took.
func (r *receivers) sent(c claimed, took time.Duration) {
	to := r.hosts[hostOf(c.URL)]
	begun := to.running[c.ID]
	begun.sent = true
	to.running[c.ID] = begun
	to.sending--
	to.took += (took - to.took) / 4
}

// done notes the end of an attempt.
func (r *receivers) done(c claimed) {
	delete(r.hosts[hostOf(c.URL)].running, c.ID)
	r.running--
}

// leave gives all that waits, to be handed back at once.
func (r *receivers) leave() (back []returned) {
	for _, to := range r.hosts {
		for _, c := range to.waiting {
			back = append(back, returned{claimed: c})
		}
		to.waiting = nil
	}
	r.waiting = 0
	return back
}

// hostOf is all of a URL that may be told.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
