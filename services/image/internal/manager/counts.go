package manager

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Counts is what this manager did, since its process began. A nil one counts nothing.
type Counts struct {
	accepted, rejected, ended, postponed, requeued, retried *prometheus.CounterVec

	took, waited, attempts *prometheus.HistogramVec

	reports, relayed, unrelayed *prometheus.CounterVec

	rounds *prometheus.CounterVec
	round  *prometheus.GaugeVec
	kept   *prometheus.CounterVec
}

// What upkeep does.
const (
	imageExpired  = "image_expired"
	jobExpired    = "job_expired"
	jobReleased   = "job_released"
	blobCollected = "blob_collected"
	blobSpared    = "blob_spared"
)

// What came of a report.
const (
	reportApplied = "applied" // it moved its job
	reportIgnored = "ignored" // it was late, repeated, overtaken, or of a job that is gone
	reportAgain   = "again"   // the store or storage did not answer; it is tried again
	reportAside   = "set_aside"
	reportLost    = "lost" // it came so late that its results were gone
)

var (
	waitBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}
	jobBuckets  = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}
)

func newCounts() *Counts {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	c := &Counts{
		accepted:  counter("calotype_jobs_accepted_total", "Jobs that were accepted.", "class"),
		rejected:  counter("calotype_jobs_rejected_total", "Requests for work that were refused, by reason.", "reason"),
		ended:     counter("calotype_jobs_ended_total", "Jobs that ended, by the state they ended in.", "state"),
		postponed: counter("calotype_jobs_postponed_total", "Attempts that failed on something that may pass, by reason; they are made again.", "reason"),
		requeued:  counter("calotype_jobs_requeued_total", "Jobs that nothing moved any more and that were queued again."),
		retried:   counter("calotype_jobs_retried_total", "Jobs that had ended and were queued again because somebody asked for it."),

		took:     histogram("calotype_job_seconds", "From when a job was accepted, or its time came, to its end.", jobBuckets, "class", "state"),
		waited:   histogram("calotype_job_wait_seconds", "From when a job was queued to the beginning of its first attempt.", waitBuckets, "class"),
		attempts: histogram("calotype_job_attempts", "Attempts that were begun of jobs that ended.", []float64{0, 1, 2, 3, 5, 8, 12, 20, 50, 100}),

		reports: counter("calotype_reports_total",
			"Reports of nodes by what came of them: applied, ignored (late, repeated or overtaken), again (the store did not answer), lost (their results were gone), set_aside.",
			"kind", "outcome"),
		relayed:   counter("calotype_relay_messages_total", "Messages that this process brought from the outbox to the queue.", "class"),
		unrelayed: counter("calotype_relay_failures_total", "Times that the queue or the store did not let a relay go on.", "class"),

		rounds: counter("calotype_upkeep_rounds_total", "Rounds of upkeep that this process made as the leader, by outcome: ok or failed.", "what", "outcome"),
		round: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_upkeep_last_success_timestamp_seconds", Help: "When this process last came through a round of upkeep; absent before.",
		}, []string{"what"}),
		kept: counter("calotype_upkeep_total",
			"What upkeep did: image_expired, job_expired, job_released (its time came), blob_collected (nothing referred to it), blob_spared (it was used at the last moment).", "what"),
	}
	for _, what := range []string{imageExpired, jobExpired, jobReleased, blobCollected, blobSpared} {
		c.kept.WithLabelValues(what)
	}
	for _, class := range job.Classes() { // so that each is told from the start
		for _, v := range []*prometheus.CounterVec{c.accepted, c.relayed, c.unrelayed} {
			v.WithLabelValues(string(class))
		}
		c.waited.WithLabelValues(string(class))
	}
	for _, s := range job.States() {
		if s.Ended() {
			c.ended.WithLabelValues(string(s))
		}
	}
	for _, reason := range []string{"BACKLOG_FULL", "STORE_UNAVAILABLE", "STORE_FAILED"} { // an alarm sees the first of them only if there was a 0 before
		c.rejected.WithLabelValues(reason)
	}
	c.postponed.WithLabelValues("UNAVAILABLE")
	c.requeued.WithLabelValues()
	c.retried.WithLabelValues()
	c.attempts.WithLabelValues()
	return c
}

func (c *Counts) all() []prometheus.Collector {
	return []prometheus.Collector{c.accepted, c.rejected, c.ended, c.postponed, c.requeued, c.retried, c.took, c.waited, c.attempts,
		c.reports, c.relayed, c.unrelayed, c.rounds, c.round, c.kept}
}

// Describe implements prometheus.Collector.
func (c *Counts) Describe(to chan<- *prometheus.Desc) {
	for _, v := range c.all() {
		v.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (c *Counts) Collect(to chan<- prometheus.Metric) {
	for _, v := range c.all() {
		v.Collect(to)
	}
}

func (c *Counts) accept(jobs []job.Change) {
	if c == nil {
		return
	}
	for _, j := range jobs {
		c.accepted.WithLabelValues(string(j.Job.Class.OrNormal())).Inc()
	}
}

// refused counts what a caller who asked for work is told. It is deferred.
func (c *Counts) refused(err *error) {
	if c == nil || *err == nil {
		return
	}
	reason := fault.ReasonOf(*err)
	switch {
	case reason != "":
	case errors.Is(*err, context.Canceled):
		reason = "CANCELED"
	case errors.Is(*err, context.DeadlineExceeded):
		reason = "DEADLINE"
	default:
		reason = strings.ToUpper(fault.KindOf(*err).String())
	}
	c.rejected.WithLabelValues(reason).Inc()
}

// moved counts what happened to a job that stood at before.
func (c *Counts) moved(before, after job.Job, events []job.Event) {
	if c == nil {
		return
	}
	class := string(after.Class.OrNormal())
	if before.State == job.Queued && before.Attempts == 0 && after.Attempts > 0 { // of short work only the end is told
		c.waited.WithLabelValues(class).Observe(max(0, after.Started.Sub(before.Updated).Seconds()))
	}
	for _, e := range events {
		switch {
		case e.State.Ended():
			since := after.Created
			if after.NotBefore.After(since) {
				since = after.NotBefore
			}
			c.ended.WithLabelValues(string(e.State)).Inc()
			if after.Run == 1 { // one that somebody had queued again lay about in between
				c.took.WithLabelValues(class, string(e.State)).Observe(max(0, e.Time.Sub(since).Seconds()))
			}
			c.attempts.WithLabelValues().Observe(float64(after.Attempts))
		case e.State == job.Queued && before.State.Ended():
			c.retried.WithLabelValues().Inc()
		case e.State == job.Queued && e.Failure != nil && e.Failure.Reason == job.ReasonRequeued:
			c.requeued.WithLabelValues().Inc()
		case e.State == job.Queued && e.Failure != nil:
			c.postponed.WithLabelValues(e.Failure.Reason).Inc()
		}
	}
}

// forgotten counts jobs that were cancelled because their image went.
func (c *Counts) forgotten(n int) {
	if c != nil {
		c.ended.WithLabelValues(string(job.Cancelled)).Add(float64(n))
	}
}

func (c *Counts) report(kind job.ReportKind, outcome string) {
	if c != nil {
		c.reports.WithLabelValues(string(kind), outcome).Inc()
	}
}

func (c *Counts) relay(class job.Class, n int, err error) {
	if c == nil {
		return
	}
	c.relayed.WithLabelValues(string(class)).Add(float64(n))
	if err != nil {
		c.unrelayed.WithLabelValues(string(class)).Inc()
	}
}

// keep counts what a round of upkeep did.
func (c *Counts) keep(what string, n int) {
	if c != nil {
		c.kept.WithLabelValues(what).Add(float64(n))
	}
}

func (c *Counts) upkeep(what string, err error) {
	if c == nil {
		return
	}
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	} else {
		c.round.WithLabelValues(what).Set(float64(time.Now().UnixMilli()) / 1000)
	}
	c.rounds.WithLabelValues(what, outcome).Inc()
}
