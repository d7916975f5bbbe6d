package kubernetes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// strict decodes with the types of k8s.io/api and of Prometheus' operator, by a program of a module of its own.
func strict(t *testing.T) func(rendered []byte) (string, error) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "decode")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = "decode"
	build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(rendered []byte) (string, error) {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Stdin = bytes.NewReader(rendered)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

func TestStrictTypes(t *testing.T) {
	h, decode := newHelm(t), strict(t)
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			if out, err := decode(h.template(t, args...)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	ha := h.template(t, variants["ha"]...)
	for name, mistake := range map[string]struct{ from, to, want string }{
		"a field of no such name":    {"terminationGracePeriodSeconds:", "terminationGraceSeconds:", "terminationGraceSeconds"},
		"a field in the wrong place": {"minReadySeconds: 5", "serviceAccountName: calotype", "serviceAccountName"},
		"a field twice":              {"minReadySeconds: 5", "minReadySeconds: 5\n  minReadySeconds: 6", "minReadySeconds"},
		"no quantity":                {"cpu: 200m", "cpu: 200mm", "quantit"},
		"text for a number":          {"containerPort: 9100", "containerPort: ops", "int32"},
		"a monitor's field":          {"honorLabels: true", "honourLabels: true", "honourLabels"},
		"a monitor's interval":       {"interval: 15s", "interval: 15", "interval"},
		"a kind of another version":  {"apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n", "policy/v1beta1"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := decode(replaced(t, ha, mistake.from, mistake.to))
			if err == nil || !strings.Contains(out, mistake.want) {
				t.Errorf("%v, and not a word of %q:\n%s", err, mistake.want, out)
			}
		})
	}
}
