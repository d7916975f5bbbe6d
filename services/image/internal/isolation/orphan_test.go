//go:build linux

package isolation_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/recipe"
)

const asNode = "TEST_AS_NODE"

// node is what the test's other process is: a pool with one idle helper, and one that is busy and deaf.
func node() int {
	var settings bytes.Buffer
	if err := gob.NewEncoder(&settings).Encode(pipeline.Config{Limits: pipeline.DefaultLimits()}); err != nil {
		return 1
	}
	cfg := isolation.DefaultConfig()
	cfg.Memory = 1 << 50
	p, err := isolation.Open(isolation.Options{Config: cfg, Renders: 2, Looks: 1, Log: slog.New(slog.DiscardHandler),
		Settings: func() ([]byte, int64) { return settings.Bytes(), 1 << 20 }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	render := func(what string, tell func(job.Progress)) string {
		made, err := p.Render(context.Background(), job.Input{Data: []byte("hook:" + what)}, []recipe.Variant{thumb}, tell)
		if err != nil {
			return err.Error()
		}
		return string(made[0].Data)
	}
	pid := render("pid", nil)
	begun := make(chan struct{})
	go render("spin", func(job.Progress) { close(begun) })
	<-begun
	fmt.Println(pid, render("pid", nil))
	select {}
}

// A node that is killed leaves no helper behind, whatever that is at.
func TestNoOrphans(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), asNode+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pids := strings.Fields(line)
	if err != nil || len(pids) != 2 || pids[0] == pids[1] {
		t.Fatalf("the node says %q, %v", line, err)
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Errorf("helper %s is not there before", pid)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the helpers are gone", func() bool { return !alive(pids[0]) && !alive(pids[1]) })
}

// alive reports whether a process runs; one that nobody waits for is dead, too.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
