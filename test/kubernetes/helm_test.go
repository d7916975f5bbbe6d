package kubernetes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"calotype/test/servers"
)

type helm struct {
	program string
	home    string
}

func newHelm(t *testing.T) *helm {
	t.Helper()
	return &helm{filepath.Join(servers.ToolFolder(t, "helm"), "helm"), t.TempDir()}
}

func (h *helm) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.program, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+h.home, "HELM_CONFIG_HOME="+h.home, "HELM_DATA_HOME="+h.home, "KUBECONFIG="+filepath.Join(h.home, "none"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// template renders the chart as a release called calotype.
func (h *helm) template(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := h.run(t, append([]string{"template", "calotype", chart, "--namespace", "calotype", "--kube-version", kubeVersion}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return []byte(out)
}

// copyChart copies the chart, with all of old replaced in one file.
func copyChart(t *testing.T, file, from, to string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, file)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(from)) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(from), []byte(to)), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}
