package pixels

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// turns is how often each is measured.
const turns = 5

// Lap is what one turn of a contender took.
type Lap struct {
	Pictures  int
	Wall, CPU time.Duration
	P50, P99  time.Duration // of one call
	Bytes     int64         // made
}

func (l Lap) rate() float64 { return float64(l.Pictures) / l.Wall.Seconds() }
func (l Lap) cpu() float64  { return milliseconds(l.CPU) / float64(l.Pictures) }
func (l Lap) p50() float64  { return milliseconds(l.P50) }
func (l Lap) p99() float64  { return milliseconds(l.P99) }
func (l Lap) size() float64 { return float64(l.Bytes) / 1e3 / float64(l.Pictures) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// Contender makes a task's pictures for a number of callers.
type Contender struct {
	Name string
	On   string // the contender that is its libvips alone; none is as if all had the same
	Turn func(tb testing.TB, t Task, callers int) Lap
}

// Compare lets all make the same in turns, a benchmark a task, and writes tables: of each contender the medians, and the medians of its
// ratios to the first one's figures of the same turn. The benchmark reports the ratios of the last contender.
func Compare(b *testing.B, tasks []Task, contenders ...Contender) {
	b.Helper()
	for _, t := range tasks {
		b.Run(t.Name, func(b *testing.B) {
			for b.Loop() {
				compare(b, t, contenders)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func compare(b *testing.B, t Task, contenders []Contender) {
	b.Helper()
	var table strings.Builder
	fmt.Fprintf(&table, "%s\n%2s  %-28s %10s %6s %9s %6s %8s %8s %6s %7s  %s\n", t.Name, "at", "", "pictures/s", "ratio", "CPU ms", "ratio", "p50 ms", "p99 ms", "ratio", "KB",
		even(contenders))
	for _, callers := range t.callers() {
		laps := make([][]Lap, len(contenders))
		for turn := range turns {
			for i := range contenders { // who went first last time goes last
				c := (i + turn) % len(contenders)
				laps[c] = append(laps[c], contenders[c].Turn(b, t, callers))
			}
		}
		medians := map[string][2]float64{}
		for i, c := range contenders {
			medians[c.Name] = [2]float64{median(each(laps[i], Lap.rate)), median(each(laps[i], Lap.cpu))}
		}
		for i, c := range contenders {
			of := func(f func(Lap) float64) (mine, ratio float64) {
				all, ratios := each(laps[i], f), each(laps[i], f)
				for turn := range turns {
					ratios[turn] /= f(laps[0][turn])
				}
				return median(all), median(ratios)
			}
			rate, rates := of(Lap.rate)
			cpu, cpus := of(Lap.cpu)
			p50, _ := of(Lap.p50)
			p99, p99s := of(Lap.p99)
			size, _ := of(Lap.size)
			fmt.Fprintf(&table, "%2d  %-28s %10.1f %6.2f %9.1f %6.2f %8.1f %8.1f %6.2f %7.1f", callers, c.Name, rate, rates, cpu, cpus, p50, p99, p99s, size)
			if first := contenders[0]; c.On != "" && c.On != first.On {
				was, is := medians[first.On], medians[c.On]
				rates, cpus = rates*was[0]/is[0], cpus*was[1]/is[1]
				fmt.Fprintf(&table, "  %.2f %.2f", rates, cpus)
			}
			table.WriteString("\n")
			if i == len(contenders)-1 {
				b.ReportMetric(rates, fmt.Sprintf("x-pictures/s@%d", callers))
				b.ReportMetric(cpus, fmt.Sprintf("x-cpu@%d", callers))
			}
		}
	}
	Say("%s", &table)
}

// Say prints: what benchmarks log is cut after ten lines.
func Say(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

// even is the head of the column of ratios as they would be if all worked on the first one's libvips.
func even(contenders []Contender) string {
	for _, c := range contenders {
		if c.On != "" && c.On != contenders[0].On {
			return "on one libvips"
		}
	}
	return ""
}

func each(laps []Lap, f func(Lap) float64) []float64 {
	var all []float64
	for _, l := range laps {
		all = append(all, f(l))
	}
	return all
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
