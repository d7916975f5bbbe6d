package job_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Seeds on which a defect was found once; they are tried first.
var remembered = []uint64{}

// The whole life of jobs, between a store, a queue, workers and managers that lose, delay, repeat, reorder and die: whatever the order,
// nothing that must hold of a job is broken, and once the faults stop every accepted job ends. SIMULATION_SEED=n tries one
// seed and tells its story.
func TestSimulation(t *testing.T) {
	if text := os.Getenv("SIMULATION_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(seed)
		w.tell = func(format string, args ...any) { t.Logf(format, args...) }
		if err := w.live(); err != nil {
			t.Fatal(err)
		}
		return
	}
	total := tally{}
	for i := range uint64(10_000 + len(remembered)) {
		seed := i
		if i < uint64(len(remembered)) {
			seed = remembered[i]
		}
		w := newWorld(seed)
		if err := w.live(); err != nil {
			t.Fatalf("seed %d: %v\nSIMULATION_SEED=%d go test -run TestSimulation ./services/image/internal/job tells its story", seed, err, seed)
		}
		total.add(w.tally)
	}
	// A simulation in which something never happens proves nothing of it.
	for _, what := range []string{"succeeded", "failed", "cancelled", "dead", "scheduled", "retried", "requeued", "dropped",
		"late result refused", "repeated report refused", "task published twice", "worker died", "zombie reported", "message lost", "commit unsure"} {
		if total[what] == 0 {
			t.Errorf("in no seed: %s", what)
		}
	}
	t.Log(total)
}

type tally map[string]int

func (t tally) add(other tally) {
	for what, n := range other {
		t[what] += n
	}
}

func (t tally) String() string {
	out := ""
	for what, n := range t {
		out += fmt.Sprintf("%s: %d; ", what, n)
	}
	return out
}
