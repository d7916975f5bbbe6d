package manager

import (
	"net/url"
	"slices"
	"time"

	"calotype/services/image/internal/job"
)

// patience is how long a notice that was claimed may wait for its host to be less busy. What would wait longer is let go: it comes due
// again, and meanwhile others have their turn.
const patience = 2 * time.Second

// receivers decide which claimed notices are sent now. They bound what is under way in all and to each host, and keep those that wait
// for slow hosts from taking the room of the rest. They are not for concurrent use.
type receivers struct {
	most, each int           // may be under way, in all and to one host
	timeout    time.Duration // of an attempt
	running    int
	waiting    int
	hosts      map[string]*receiver
}

// receiver is a host.
type receiver struct {
	running map[job.WebhookID]time.Time // since when
	waiting []claimed
	took    time.Duration // what an attempt took lately
}

type claimed struct {
	job.Webhook
	until time.Time // when others may claim it
}

func newReceivers(cfg WebhookConfig) *receivers {
	return &receivers{most: cfg.Concurrency, each: cfg.PerHost, timeout: cfg.Timeout, hosts: map[string]*receiver{}}
}

// room is how many more may wait.
func (r *receivers) room() int { return max(0, r.most-r.waiting) }

// offer takes in a notice, unless it is being sent.
func (r *receivers) offer(c claimed) {
	host := hostOf(c.URL)
	to := r.hosts[host]
	if to == nil {
		to = &receiver{running: map[job.WebhookID]time.Time{}}
		r.hosts[host] = to
	}
	again := slices.IndexFunc(to.waiting, func(w claimed) bool { return w.ID == c.ID })
	switch _, busy := to.running[c.ID]; {
	case busy:
	case again >= 0:
		to.waiting[again] = c
	default:
		to.waiting = append(to.waiting, c)
		r.waiting++
	}
}

// next gives the notices to be sent now, and lets go of those that would wait too long.
func (r *receivers) next(now time.Time) (begin []claimed) {
	for host, to := range r.hosts {
		for len(to.waiting) > 0 && len(to.running) < r.each && r.running < r.most {
			c := to.waiting[0]
			to.waiting = to.waiting[1:]
			r.waiting--
			if now.Add(r.timeout).After(c.until) {
				continue // it may be another's before it is done
			}
			to.running[c.ID] = now
			r.running++
			begin = append(begin, c)
		}
		if keep := to.bears(r.each, now); keep < len(to.waiting) {
			r.waiting -= len(to.waiting) - keep
			to.waiting = to.waiting[:keep]
		}
		if len(to.running) == 0 && len(to.waiting) == 0 {
			delete(r.hosts, host)
		}
	}
	return begin
}

// bears is how many notices can wait for a host without waiting too long, going by how long it takes for one.
func (to *receiver) bears(each int, now time.Time) int {
	slowest := to.took
	for _, since := range to.running {
		slowest = max(slowest, now.Sub(since))
	}
	if slowest <= 0 {
		return len(to.waiting)
	}
	return int(patience/slowest) * each
}

// done notes the end of an attempt.
func (r *receivers) done(c claimed, now time.Time) (took time.Duration) {
	to := r.hosts[hostOf(c.URL)]
	took = now.Sub(to.running[c.ID])
	delete(to.running, c.ID)
	r.running--
	to.took += (took - to.took) / 4
	return took
}

// hostOf is all of a URL that may be told.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
