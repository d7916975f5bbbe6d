package rabbitmq

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are what happened since the start.
type counts struct {
	confirmed, nacked, returned, reconnects, lost, setAside atomic.Int64
}

func counter(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("calotype_queue_"+name+"_total", help, nil, nil)
}

// series are the counters in the order in which they are described and collected.
func (q *Queue) series() []struct {
	desc  *prometheus.Desc
	value *atomic.Int64
} {
	return []struct {
		desc  *prometheus.Desc
		value *atomic.Int64
	}{
		{counter("confirmed", "Messages that the broker confirmed as durable."), &q.counts.confirmed},
		{counter("nacked", "Messages that the broker refused or did not confirm in time; they were published again or given up."), &q.counts.nacked},
		{counter("returned", "Messages that the broker had no queue for."), &q.counts.returned},
		{counter("reconnects", "Connections to a broker that replaced one that broke."), &q.counts.reconnects},
		{counter("lost", "Deliveries seen whose consumer had died before."), &q.counts.lost},
		{counter("set_aside", "Messages moved to the dead letters by this process."), &q.counts.setAside},
	}
}

var (
	connectedDesc = prometheus.NewDesc("calotype_queue_connected", "1 while there is a connection to a broker, 0 while there is none. One for publishing is made when it is needed.", []string{"purpose"}, nil)
	blockedDesc   = prometheus.NewDesc("calotype_queue_blocked", "1 while the broker takes no messages, for it is short of memory or disk.", nil, nil)
)

// Describe is prometheus.Collector's.
func (q *Queue) Describe(out chan<- *prometheus.Desc) {
	out <- connectedDesc
	out <- blockedDesc
	for _, s := range q.series() {
		out <- s.desc
	}
}

// Collect is prometheus.Collector's.
func (q *Queue) Collect(out chan<- prometheus.Metric) {
	blocked := false
	for _, l := range []*link{&q.publishing, &q.consuming} {
		connected, barred := l.standing()
		out <- prometheus.MustNewConstMetric(connectedDesc, prometheus.GaugeValue, one(connected), l.purpose)
		blocked = blocked || barred
	}
	out <- prometheus.MustNewConstMetric(blockedDesc, prometheus.GaugeValue, one(blocked))
	for _, s := range q.series() {
		out <- prometheus.MustNewConstMetric(s.desc, prometheus.CounterValue, float64(s.value.Load()))
	}
}

// standing tells whether there is a connection, and whether its broker takes no messages.
func (l *link) standing() (connected, barred bool) {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c == nil || c.IsClosed() {
		return false, false
	}
	return true, c.barred() != nil
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
