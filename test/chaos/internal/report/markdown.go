package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// told is how many failures of a step are listed for people; the JSON has all.
const told = 12

// Markdown is the report as people read it.
func (r *Report) Markdown() string {
	var b strings.Builder
	verdict := "passed"
	if len(r.Broken) > 0 {
		verdict = "FAILED"
	}
	fmt.Fprintf(&b, "# Chaos, plan %s: %s\n\n", r.Plan, verdict)
	fmt.Fprintf(&b, "Seed %d, %s, %.0f requests a second in all for %s.\n\n", r.Seed, r.Began.UTC().Format("2006-01-02 15:04 MST"), r.PerSecond, r.Lasted.Round(time.Second))
	b.WriteString("| fault | requests | failed | limit | refused, p99 | last failed | recovery | limit | jobs | limit | well again | p50/p99 before | during | after | longest | |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "| %s | %d | %d (%s) | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			s.name(), s.Requests, s.Failed, percent(share(s.Failed, s.Requests)), percent(s.Limits.Failed), s.refusals(), after(s.Failed, s.Failing), seconds(s.Recovery), limit(s.Limits.Recovery), seconds(s.Jobs), limit(cmp.Or(s.Limits.Jobs, -1)),
			seconds(s.Healed), s.Before, s.During, s.After, millis(max(s.During.Worst, s.After.Worst)), s.verdict(r.TimesCount))
	}
	b.WriteString("\nFailed: no answer, a wrong one or wrong bytes, a 5xx, or one after the deadline; nothing is asked twice. Last failed: how long after the fault. Recovery: from then on none failed, and none took\n" +
		"longer than 1 s or four times what was usual. Jobs: the same of jobs, by when they were accepted. Well again: every part is healthy, registered and a full member.\n\n")
	r.quietly(&b)
	b.WriteString("| kind | requests | failed | refused | p50 | p99 | longest |\n|---|---|---|---|---|---|---|\n")
	for _, k := range r.Kinds {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %s | %s | %s |\n", k.Kind, k.Requests, k.Failed, k.Refused, millis(k.Latency.P50), millis(k.Latency.P99), millis(k.Latency.Worst))
	}
	l := r.Ledger
	fmt.Fprintf(&b, "\nLedger: %d uploads with jobs were acknowledged, %d were not; %d succeeded with the right bytes and one end; %d had their one webhook (%d copies under the same id). "+
		"%d needed more than one attempt. The longest took %s from acceptance to end; every job had ended %s after the last upload. Wrong: %d.\n",
		l.Acknowledged, l.Refused, l.Succeeded, l.Webhooks, l.Copies, l.Repeated, seconds(l.LongestInLine), seconds(l.Settled), len(l.Wrong))
	list(&b, "What was broken", r.Broken)
	list(&b, "Wrong in the ledger", l.Wrong)
	for _, s := range r.Steps {
		failures(&b, s.Fault, s.Failures)
	}
	failures(&b, "While nothing was broken", r.Quiet.Failures)
	return b.String()
}

func (r *Report) quietly(b *strings.Builder) {
	fmt.Fprintf(b, "Between the faults: %d of %d requests failed.\n\n", r.Quiet.Failed, r.Quiet.Requests)
}

func (s Row) name() string {
	if strings.Contains(s.Fault, "leader") && len(s.Targets) == 1 {
		return s.Fault + " (" + s.Targets[0] + ")"
	}
	return s.Fault
}

func (s Row) refusals() string {
	if s.Limits.Refusing == 0 {
		return "-"
	}
	return fmt.Sprintf("%d, %s of %s", s.Refused, millis(s.RefusedIn), millis(s.Limits.Refusing))
}

func (s Row) verdict(timesCount bool) string {
	switch {
	case len(s.Broken) > 0:
		return "**broken**"
	case len(s.Late) > 0 && timesCount:
		return "**late**"
	case len(s.Late) > 0:
		return "late"
	}
	return "ok"
}

func list(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for _, l := range lines[:min(len(lines), 4*told)] {
		fmt.Fprintf(b, "- %s\n", l)
	}
}

func failures(b *strings.Builder, title string, all []Failure) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s: %d failed or slow\n\n", title, len(all))
	for i, f := range all {
		if i == told {
			fmt.Fprintf(b, "- and %d more\n", len(all)-told)
			return
		}
		fmt.Fprintf(b, "- %s after: %s, %s: %s\n", seconds(f.After), f.Kind, millis(f.Took), cmp.Or(strings.ReplaceAll(f.Note, "\n", " "), "?"))
	}
}

// String is p50/p99.
func (l Latency) String() string { return millis(l.P50) + "/" + millis(l.P99) }

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// after is when the last of some was.
func after(n int, d time.Duration) string {
	if n == 0 {
		return "-"
	}
	return seconds(d)
}

func limit(d time.Duration) string {
	if d < 0 {
		return "-"
	}
	return seconds(d)
}

func percent(f float64) string {
	return strconv.FormatFloat(float64(int(f*1e5+0.5))/1e3, 'f', -1, 64) + " %"
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s" }

func millis(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
}
