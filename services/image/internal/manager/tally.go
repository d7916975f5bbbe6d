package manager

import "github.com/prometheus/client_golang/prometheus"

// What the upkeep does.
const (
	imageExpired  = "image_expired"
	jobExpired    = "job_expired"
	jobReleased   = "job_released"
	blobCollected = "blob_collected"
	blobSpared    = "blob_spared"
)

// Tally counts what this manager has done to keep the store and the storage in order.
type Tally struct{ *prometheus.CounterVec }

func newTally() *Tally {
	t := &Tally{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "calotype_upkeep_total",
		Help: "What upkeep did: image_expired, job_expired, job_released (its time came), blob_collected (nothing referred to it), blob_spared (it was used at the last moment).",
	}, []string{"what"})}
	for _, what := range []string{imageExpired, jobExpired, jobReleased, blobCollected, blobSpared} {
		t.WithLabelValues(what)
	}
	return t
}

func (t *Tally) add(what string, n int) { t.WithLabelValues(what).Add(float64(n)) }
