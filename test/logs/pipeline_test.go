package logs

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"calotype/test/servers"
)

// TestPipelineIsReadable has the pipeline parsed as Logstash does.
func TestPipelineIsReadable(t *testing.T) {
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(servers.ToolFolder(t, "mustache"), "mustache")
	check := func(s Shipped) (string, error) {
		file := filepath.Join(t.TempDir(), "logstash.conf")
		if err := write(file, s[Pipeline]); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), program, "check", file).CombinedOutput()
		return string(out), err
	}
	if out, err := check(shipped); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for from, to := range map[string]string{"output {": "outputs {", "port => 5044": "port = 5044", "\"create\"": "\"create", `["@version", "tags"]`: `["@version" "tags"]`} {
		if out, err := check(shipped.changed(t, Pipeline, from, to)); err == nil || strings.TrimSpace(out) == "" {
			t.Errorf("nothing is wrong with %s: %s", to, out)
		}
	}
}
