package kubernetes

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"calotype/test/servers"
)

// conformity gives a kubeconform that knows the kinds of Kubernetes and of KEDA by their own definitions, and the ServiceMonitor of Prometheus'
// operator by testdata, as far as the chart uses it. Its fields are held against the operator's types elsewhere.
func conformity(t *testing.T) func(rendered []byte) (string, error) {
	t.Helper()
	tools, keda := servers.ToolFolder(t, "kubeconform"), filepath.Join(servers.ToolFolder(t, "keda"), "keda")
	schemas := jsonSchemas(t, filepath.Join(servers.ToolFolder(t, "kubernetes-openapi"), "kubernetes-openapi"),
		filepath.Join(keda, "keda.sh_scaledobjects.yaml"), filepath.Join(keda, "keda.sh_triggerauthentications.yaml"))
	const name = "{{.ResourceKind}}{{.KindSuffix}}.json"
	return func(rendered []byte) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(tools, "kubeconform"), "-strict", "-summary", "-kubernetes-version", kubeVersion,
			"-schema-location", filepath.Join(schemas, name), "-schema-location", filepath.Join("testdata", name), "-")
		cmd.Stdin = bytes.NewReader(rendered)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

func TestConformity(t *testing.T) {
	h, conforms := newHelm(t), conformity(t)
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			rendered := h.template(t, args...)
			out, err := conforms(rendered)
			if want := fmt.Sprintf("%d resource", len(parse(t, rendered))); err != nil || !strings.Contains(out, want) || !strings.Contains(out, "Skipped: 0") {
				t.Errorf("%v, not %s:\n%s", err, want, out)
			}
		})
	}
	ha := h.template(t, variants["ha"]...)
	for name, mistake := range map[string]struct{ from, to, want string }{
		"a field of no such name":       {"terminationGracePeriodSeconds:", "terminationGraceSeconds:", "terminationGraceSeconds"},
		"a field that is required":      {"containerPort: 9100", "hostPort: 9100", "containerPort"},
		"text for a number":             {"minReplicas: 3", "minReplicas: three", "minReplicas"},
		"a number for text":             {"path: /healthz", "path: 1", "path"},
		"a value that is none":          {"whenUnsatisfiable: DoNotSchedule", "whenUnsatisfiable: Never", "whenUnsatisfiable"},
		"no quantity":                   {"cpu: 200m", "cpu: 200mm", "cpu"},
		"a kind nobody knows":           {"kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "could not find schema"},
		"KEDA: a field of no such name": {"maxReplicaCount:", "maximumReplicas:", "maximumReplicas"},
		"KEDA: a number for text":       {`value: "20"`, "value: 20", "value"},
		"KEDA: a way to fall back":      {"behavior: currentReplicasIfHigher", "behavior: keep", "behavior"},
		"KEDA: a fallback without end":  {"failureThreshold: 3", "threshold: 3", "failureThreshold"},
		"KEDA: nobody is named":         {"authenticationRef: {name: calotype-image-worker}", "authenticationRef: {ref: calotype-image-worker}", "name"},
		"KEDA: a field deep down":       {"stabilizationWindowSeconds: 300", "stabilisationWindowSeconds: 300", "stabilisationWindowSeconds"},
		"KEDA: metadata of nobody":      {"kind: TriggerAuthentication\nmetadata:\n", "kind: TriggerAuthentication\nmetadata:\n  nickname: x\n", "nickname"},
		"a monitor without endpoints":   {"endpoints:", "targets:", "endpoints"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := conforms(replaced(t, ha, mistake.from, mistake.to))
			if err == nil || !strings.Contains(out, mistake.want) {
				t.Errorf("%v, and not a word of %q:\n%s", err, mistake.want, out)
			}
		})
	}
}
