package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"calotype/test/servers"
)

// running is `calotype up` as a process of its own.
type running struct {
	*servers.Process
	at string // host:port
}

// up runs it with the environment's settings beside its defaults.
func up(b *testing.B, env ...string) running {
	b.Helper()
	program := filepath.Join(b.TempDir(), "calotype")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "calotype/cmd/calotype").CombinedOutput(); err != nil {
		b.Fatalf("building calotype: %v\n%s", err, out)
	}
	s := running{at: servers.FreePort(b)}
	s.Process = servers.Run(b, servers.Program{
		Path: program, Args: []string{"up", "--listen", s.at, "--data", b.TempDir()},
		Env:   append([]string{"CALOTYPE_RPC__LISTEN=127.0.0.1:0", "CALOTYPE_LOG__LEVEL=warn"}, env...),
		Ready: serves("http://" + s.at + "/readyz"),
	})
	return s
}

func serves(url string) func(context.Context, *servers.Process) error {
	return func(ctx context.Context, _ *servers.Process) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		rsp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err
		}
		if rsp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", rsp.Status)
		}
		_ = rsp.Body.Close()
		return err
	}
}

// keep uploads a file and gives the image's id.
func (s running) keep(b *testing.B, file string) string {
	b.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	rsp, err := http.Post("http://"+s.at+"/v1/images", mime.TypeByExtension(filepath.Ext(file)), bytes.NewReader(data))
	if err != nil {
		b.Fatal(err)
	}
	defer rsp.Body.Close()
	body, _ := io.ReadAll(rsp.Body)
	var made struct{ Image struct{ ID string } }
	if err := json.Unmarshal(body, &made); err != nil || made.Image.ID == "" {
		b.Fatalf("%s: %s %s", file, rsp.Status, body)
	}
	return made.Image.ID
}

// family is a process and all below it.
func family(pid int) (pids []int) {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		if f := stat(name); f != nil {
			id, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], id)
		}
	}
	pids = []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids
}

// stat gives the fields after the program's name; nil when the process is gone.
func stat(name string) []string {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// cpu is the processor time of a process and all below it, to 10 ms.
func cpu(pid int) (sum time.Duration) {
	for _, id := range family(pid) {
		if f := stat(fmt.Sprintf("/proc/%d/stat", id)); len(f) > 12 {
			user, _ := strconv.Atoi(f[11])
			system, _ := strconv.Atoi(f[12])
			sum += time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	return sum
}

// memory gives a figure of a process in MiB: VmRSS is what it takes, VmHWM the most that it took since forget.
func memory(b *testing.B, pid int, what string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kib) / 1024
		}
	}
	b.Fatalf("no %s", what)
	return 0
}
