package litequeue

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are what this process saw since its start.
type counts struct{ lost, setAside atomic.Int64 }

var (
	lostDesc     = prometheus.NewDesc("calotype_queue_lost_total", "Deliveries seen whose consumer had died before.", nil, nil)
	setAsideDesc = prometheus.NewDesc("calotype_queue_set_aside_total", "Messages moved to the dead letters by this process.", nil, nil)
)

// Describe implements prometheus.Collector.
func (q *Queue) Describe(out chan<- *prometheus.Desc) {
	out <- lostDesc
	out <- setAsideDesc
}

// Collect implements prometheus.Collector.
func (q *Queue) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(lostDesc, prometheus.CounterValue, float64(q.counts.lost.Load()))
	out <- prometheus.MustNewConstMetric(setAsideDesc, prometheus.CounterValue, float64(q.counts.setAside.Load()))
}

// count is told of what was taken.
func (q *Queue) count(got claim) {
	q.counts.setAside.Add(int64(got.buried))
	lost := int64(got.buried)
	if got.alone {
		lost++
	}
	q.counts.lost.Add(lost)
}
