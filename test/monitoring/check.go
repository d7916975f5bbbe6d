package monitoring

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	ours    = regexp.MustCompile(`\b(?:calotype|go_sql)_[a-z0-9_]+[a-z0-9]\b`)
	heading = regexp.MustCompile(`(?m)^### (Calotype\w+)$`)
)

// quiet are the panels that have nothing to show while all is well.
var quiet = []string{
	"rpc: Calls that ended otherwise than well",
}

// Alarms tells where the alarms and docs/operations.md are not of one mind.
func (s Shipped) Alarms() []string {
	rules, err := s.Rules()
	if err != nil {
		return []string{err.Error()}
	}
	var problems, names []string
	explained := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(s["docs/operations.md"], -1) {
		explained[m[1]] = true
	}
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		names = append(names, r.Alert)
		if !explained[r.Alert] {
			problems = append(problems, r.Alert+" is not in docs/operations.md")
		}
		if want := "docs/operations.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			problems = append(problems, r.Alert+" does not lead to "+want)
		}
		if r.Annotations["summary"] == "" {
			problems = append(problems, r.Alert+" has no summary")
		}
	}
	for name := range explained {
		if !slices.Contains(names, name) {
			problems = append(problems, "docs/operations.md explains "+name+", which no rule raises")
		}
	}
	slices.Sort(problems)
	return problems
}

// Answers tells what a Prometheus that watches a whole suite cannot answer as it should: an expression that it does not understand, a metric
// that nobody tells or has not the label by which it is chosen, a series that an alarm awaits the first increase of, and a panel that shows nothing.
func (s Shipped) Answers(ctx context.Context, p *Prometheus) []string {
	all, err := s.Expressions()
	if err != nil {
		return []string{err.Error()}
	}
	known, err := p.Values(ctx, "__name__", "")
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	tell := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	labels := map[string][]string{}
	for _, e := range all {
		n, err := p.Ask(ctx, e.Text)
		if err != nil {
			tell("%s: %v", e.Where, err)
			continue
		}
		missing := false
		for _, name := range Metrics(e.Text) {
			if !slices.Contains(known, name) {
				missing = true
				tell("%s: nobody tells %s", e.Where, name)
			}
		}
		for name, chosen := range Labels(e.Text) {
			if labels[name] == nil {
				if labels[name], err = p.Labels(ctx, name); err != nil {
					tell("%s: %v", e.Where, err)
				}
			}
			for _, l := range chosen {
				if !missing && !slices.Contains(labels[name], l) {
					tell("%s: %s has no label %s but %v", e.Where, name, l, labels[name])
				}
			}
		}
		for _, series := range Awaited(e.Text) {
			if n, err := p.Ask(ctx, series); err != nil {
				tell("%s: %v", e.Where, err)
			} else if n == 0 && !missing {
				tell("%s: nobody tells %s before it happens", e.Where, series)
			}
		}
		if e.Panel && n == 0 && !missing && !slices.Contains(quiet, e.Where) {
			tell("%s: nothing to show by %s", e.Where, e.Text)
		}
	}
	for _, doc := range []string{"docs/operations.md", "docs/monitoring.md"} {
		for _, name := range ours.FindAllString(s[doc], -1) {
			if !slices.Contains(known, name) && !slices.Contains(known, name+"_bucket") {
				tell("%s: nobody tells %s", doc, name)
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}
