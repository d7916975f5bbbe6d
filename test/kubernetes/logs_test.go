package kubernetes

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const hint = "co.elastic.logs/"

// hints tells which Deployments do not say of their lines what the shipped Filebeat is told of them, as options of its parser.
func hints(t *testing.T, rendered []byte, options map[string]string) []string {
	t.Helper()
	var faults []string
	for _, m := range parse(t, rendered) {
		if m.Kind != "Deployment" {
			continue
		}
		have := map[string]string{}
		for key, value := range as[struct {
			Spec struct{ Template struct{ Metadata metadata } }
		}](t, m).Spec.Template.Metadata.Annotations {
			if name, ok := strings.CutPrefix(key, hint); ok {
				have[name] = value
			}
		}
		if !maps.Equal(have, options) {
			faults = append(faults, fmt.Sprintf("%v: its lines are %v, and not %v", m, have, options))
		}
	}
	return faults
}

// TestHints holds the annotations of Pods to the configuration of Filebeat that test/logs sees at work.
func TestHints(t *testing.T) {
	text, err := os.ReadFile("../../deploy/elk/filebeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	var shipper struct {
		Inputs []map[string]any `yaml:"filebeat.inputs"`
	}
	if err := yaml.Unmarshal(text, &shipper); err != nil {
		t.Fatal(err)
	}
	options := map[string]string{"enabled": "true"}
	for key, value := range shipper.Inputs[0] {
		if strings.HasPrefix(key, "json.") {
			options[key] = fmt.Sprint(value)
		}
	}
	h := newHelm(t)
	on := append([]string{"--set", "logs.hints=true"}, backends...)
	if faults := hints(t, h.template(t, on...), options); len(faults) > 0 || len(options) < 4 {
		t.Errorf("%s", strings.Join(faults, "\n"))
	}
	if faults := hints(t, h.template(t, backends...), nil); len(faults) > 0 {
		t.Errorf("nobody asked for hints: %s", strings.Join(faults, "\n"))
	}
	for from, to := range map[string]string{"json.expand_keys: \"true\"": "json.expand_keys: \"false\"", "logs/json.": "log/json.", "        co.elastic.logs/enabled: \"true\"\n": ""} {
		broken := copyChart(t, "templates/deployments.yaml", from, to)
		out, err := h.run(t, slices.Concat([]string{"template", "calotype", broken, "--kube-version", kubeVersion}, on)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if faults := hints(t, []byte(out), options); len(faults) == 0 {
			t.Errorf("nothing is wrong with %q", to)
		}
	}
}
