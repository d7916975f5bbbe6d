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

// Describe is prometheus.Collector's.
func (q *Queue) Describe(out chan<- *prometheus.Desc) {
	for _, s := range q.series() {
		out <- s.desc
	}
}

// Collect is prometheus.Collector's.
func (q *Queue) Collect(out chan<- prometheus.Metric) {
	for _, s := range q.series() {
		out <- prometheus.MustNewConstMetric(s.desc, prometheus.CounterValue, float64(s.value.Load()))
	}
}
