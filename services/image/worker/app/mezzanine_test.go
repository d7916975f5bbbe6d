package app_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/services/image/internal/job"
	"calotype/services/image/worker/app"
)

// counted gives a metric's counts, by the value of one label; of a histogram, how often something was observed.
func counted(t *testing.T, r prometheus.Gatherer, metric, label string, also ...string) map[string]int {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, m := range f.GetMetric() {
			of, fits := "", 0
			for _, l := range m.GetLabel() {
				if l.GetName() == label {
					of = l.GetValue()
				}
				if len(also) == 2 && l.GetName() == also[0] && l.GetValue() == also[1] {
					fits++
				}
			}
			if n := int(m.GetCounter().GetValue()) + int(m.GetHistogram().GetSampleCount()); len(also) == 0 || fits > 0 {
				counts[of] += n
			}
		}
	}
	return counts
}

// kept is how many files a node has on disk.
func kept(t *testing.T, r prometheus.Gatherer) (files int) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "calotype_worker_originals_kept" && m.GetLabel()[0].GetValue() == "disk" {
				files += int(m.GetGauge().GetValue())
			}
		}
	}
	return files
}

// reducing runs a node that makes copies.
func reducing(t *testing.T, change func(*app.Config)) (node, prometheus.Gatherer) {
	t.Helper()
	host, n := store(t)
	cfg := config(t, filepath.Join(t.TempDir(), "queue.db"))
	cfg.Worker.Mezzanine = 256
	change(&cfg)
	n.join(t, cfg)
	worker(t, cfg, host)
	return n, host.Metrics
}

// A large original is decoded once, whatever is made of it that is small, and gives the same bytes whether its copy was there or not; so it
// is in helper processes.
func TestLargeOriginalsAreDecodedOnce(t *testing.T) {
	sets := [][]string{{"w_128,f_jpeg", "c_fill,w_64,h_64,g_auto,f_webp"}, {"w_100,f_jpeg/e_sharpen:1"}, {"w_128,f_jpeg", "c_fill,w_64,h_64,g_auto,f_webp"}}
	const fromDisk = "backwards, from disk"
	var first map[string]job.Digest
	for mode, change := range map[string]func(*app.Config){
		"inside": func(*app.Config) {},
		"process": func(c *app.Config) {
			c.Worker.Isolation.Mode = "process"
			c.Worker.Isolation.Memory = 1 << 50 // the race detector's shadow counts
		},
		fromDisk: func(c *app.Config) { c.Worker.Originals.Memory, c.Worker.Originals.Folder = 0, t.TempDir() },
	} {
		t.Run(mode, func(t *testing.T) {
			n, registry := reducing(t, change)
			d := n.keep(t, "photo.heic")
			made := map[string]job.Digest{}
			ask := func(id string, options ...string) []job.Result {
				var set []string
				ask := job.ID(id)
				for i := range options {
					set = append(set, fmt.Sprintf("v%d", i))
				}
				var list []app.Variant
				for i, o := range options {
					list = append(list, variant(t, set[i], o))
				}
				n.ask(t, ask, d, list...)
				reports := n.told(t, ask)
				last := reports[len(reports)-1]
				if last.Kind != job.Finished {
					t.Fatalf("told %+v, %+v", last, last.Failure)
				}
				return last.Results
			}
			for i := range sets {
				if mode == fromDisk {
					i = len(sets) - 1 - i
				}
				for k, r := range ask(fmt.Sprintf("job_%d", i), sets[i]...) {
					if before := made[sets[i][k]]; before != "" && before != r.Digest {
						t.Errorf("%s: %s, before %s", sets[i][k], r.Digest, before)
					}
					made[sets[i][k]] = r.Digest
				}
				if mode == fromDisk {
					eventually(t, "the original and its copy are written", func() bool { return kept(t, registry) == 2 })
				}
			}
			if first == nil {
				first = made
			} else if !maps.Equal(made, first) {
				t.Errorf("made %v, another node %v", made, first)
			}
			decoded := counted(t, registry, "calotype_worker_engine_seconds", "format", "op", "decode")
			outcomes := counted(t, registry, "calotype_worker_mezzanines_total", "outcome")
			if decoded["heic"] != 1 || decoded["jpeg"] != len(sets) || outcomes["made"] != 1 || outcomes["used"] != len(sets) {
				t.Errorf("decoded %v; copies %v", decoded, outcomes)
			}
			// What needs the original gets it.
			if r := ask("job_large", "w_200,f_jpeg", "w_16,f_webp"); r[0].Width != 200 {
				t.Errorf("%+v", r)
			}
			if n := counted(t, registry, "calotype_worker_engine_seconds", "format", "op", "decode")["heic"]; n != 2 {
				t.Errorf("decoded %d times", n)
			}
			if n := counted(t, registry, "calotype_worker_mezzanines_total", "outcome")["unsuited"]; n != 1 {
				t.Errorf("unsuited %d", n)
			}
		})
	}
}

func TestCopiesWantToBeKept(t *testing.T) {
	cfg := app.DefaultConfig().Worker
	cfg.Mezzanine, cfg.Originals.Memory = 2560, 0
	if faults := cfg.Validate(); len(faults) != 1 || faults[0].Path != "mezzanine" {
		t.Errorf("got %+v", faults)
	}
	if cfg.Originals.Folder = "/somewhere"; len(cfg.Validate()) > 0 {
		t.Error("a folder keeps them")
	}
}
