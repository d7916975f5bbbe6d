package monitoring

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// strict takes no key that into does not have.
func strict(text []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	return d.Decode(into)
}

// changed is a copy with one text in the place of another, which must be there.
func (s Shipped) changed(t *testing.T, file, from, to string) Shipped {
	t.Helper()
	if !strings.Contains(s[file], from) {
		t.Fatalf("%s does not hold %q", file, from)
	}
	c := maps.Clone(s)
	c[file] = strings.Replace(c[file], from, to, 1)
	return c
}

// found fails unless one of the problems is the one that was made.
func found(t *testing.T, problems []string, want string) {
	t.Helper()
	if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) }) {
		t.Errorf("not found: %s; but %q", want, problems)
	}
}

const (
	alerts = "deploy/prometheus/alerts.yaml"
	rules  = "deploy/prometheus/rules.yaml"
	boards = "deploy/grafana/dashboards/"
	guide  = "docs/operations.md"
	config = "deploy/prometheus/prometheus.yml"
)

func (s *suite) findsMistakes(shipped Shipped, p *Prometheus) {
	for _, c := range []struct{ file, from, to, want string }{
		{boards + "engine.json", "calotype_worker_slots_waiting", "calotype_worker_slot_waiting", "engine: Waiting for a slot: nobody tells calotype_worker_slot_waiting"},
		{boards + "queue.json", `standing=\"ready\"`, `state=\"ready\"`, "queue: Ready: calotype_queue_messages has no label state"},
		{boards + "queue.json", `standing=\"ready\"`, `standing=\"reddy\"`, "queue: Ready: nothing to show"},
		{boards + "jobs.json", "max by (state) (calotype_jobs)", "max by (state (calotype_jobs)", "jobs: Jobs by state: Prometheus: "},
		{boards + "rpc.json", "route:calotype_http_request_seconds:p99_5m", "route:calotype_http_request_seconds:p95_5m", "nobody tells route:calotype_http_request_seconds:p95_5m"},
		{boards + "fleet.json", `label_values(up{`, `label_values(down{`, "fleet: a variable: nobody tells down"},
		{alerts, "calotype_queue_blocked == 1", "calotype_queue_barred == 1", "CalotypeBrokerBlocks: nobody tells calotype_queue_barred"},
		{alerts, `purpose="consuming"`, `purposes="consuming"`, "CalotypeBrokerAway: calotype_queue_connected has no label purposes"},
		{alerts, `calotype_edge_reloads_total{outcome="failed"}`, `calotype_edge_reloads_total{outcome="broken"}`,
			`CalotypeEdgeReloadFails: nobody tells calotype_edge_reloads_total{outcome="broken"} before it happens`},
		{rules, "calotype_worker_slots_in_use", "calotype_worker_slots_used", "nobody tells calotype_worker_slots_used"},
		{guide, "`calotype_outbox_messages`", "`calotype_outbox_letters`", "docs/operations.md: nobody tells calotype_outbox_letters"},
	} {
		found(s.t, shipped.changed(s.t, c.file, c.from, c.to).Answers(s.t.Context(), p), c.want)
	}
}

func TestEveryAlarmIsExplained(t *testing.T) {
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	if problems := shipped.Alarms(); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
	for _, c := range []struct{ file, from, to, want string }{
		{alerts, "- alert: CalotypeStoreAway", "- alert: CalotypeStoreGone", "CalotypeStoreGone is not in docs/operations.md"},
		{guide, "### CalotypeStoreAway", "### CalotypeStoreOff", "docs/operations.md explains CalotypeStoreOff, which no rule raises"},
		{alerts, "docs/operations.md#calotypestoreaway", "docs/operations.md#storeaway", "CalotypeStoreAway does not lead to"},
		{alerts, `summary: "the job store does not answer`, `note: "the job store does not answer`, "CalotypeStoreAway has no summary"},
		{alerts, "groups:", "groups", "deploy/prometheus/alerts.yaml: "},
	} {
		found(t, shipped.changed(t, c.file, c.from, c.to).Alarms(), c.want)
	}
}

// promtool has Prometheus' own tool check the configuration and the rules, and run those of the rules' tests in which a text occurs. It gives
// what the tool finds wrong.
func promtool(t *testing.T, s Shipped, about string) string {
	t.Helper()
	dir := t.TempDir()
	text, _, err := configuration(s[config], filepath.Join(dir, "targets.json"), "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
	if err != nil {
		return err.Error()
	}
	var tests map[string]any
	if err := yaml.Unmarshal([]byte(s["deploy/prometheus/tests.yaml"]), &tests); err != nil {
		return err.Error()
	}
	all, _ := tests["tests"].([]any)
	tests["tests"] = slices.DeleteFunc(all, func(test any) bool { return !strings.Contains(fmt.Sprint(test), about) })
	chosen, err := yaml.Marshal(tests)
	if err != nil {
		return err.Error()
	}
	for name, text := range map[string]string{"prometheus.yml": text, "alerts.yaml": s[alerts], "rules.yaml": s[rules], "tests.yaml": string(chosen)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "rules", "alerts.yaml", "rules.yaml"}, {"test", "rules", "tests.yaml"}} {
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return err.Error() + ": " + string(out)
		}
	}
	return ""
}

// TestPromtool also sees to it that each alarm is raised in a test of the rules.
func TestPromtool(t *testing.T) {
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	if wrong := promtool(t, shipped, ""); wrong != "" {
		t.Error(wrong)
	}
	for _, c := range []struct{ file, from, to, about, want string }{
		{alerts, "calotype_queue_blocked == 1", "calotype_queue_blocked == 2", "CalotypeBrokerBlocks", "CalotypeBrokerBlocks"},
		{alerts, "calotype_queue_blocked == 1", "calotype_queue_blocked = 1", "no test", "parse error"},
		{rules, "histogram_quantile(0.99, sum by (job, method, le)", "histogram_quantile(0.9, sum by (job, method, le)", "p99_5m", "p99_5m"},
		{config, "action: keep", "action: kept", "no test", "kept"},
		{config, "credentials_file: /run", "credential_file: /run", "no test", "credential_file not found"},
		{config, "- rules.yaml", "- figures.yaml", "no test", "figures.yaml"},
	} {
		found(t, []string{promtool(t, shipped.changed(t, c.file, c.from, c.to), c.about)}, c.want)
	}
	all, err := shipped.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Alert != "" && !strings.Contains(shipped["deploy/prometheus/tests.yaml"], `"`+r.Alert+`"`) {
			t.Errorf("%s is raised in no test", r.Alert)
		}
	}
}
