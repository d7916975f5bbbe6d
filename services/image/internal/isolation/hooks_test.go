//go:build linux

package isolation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// hooked is an engine that a picture can make do what no engine should.
type hooked struct{ worker.Engine }

func (h hooked) Render(ctx context.Context, in job.Input, variants []recipe.Variant, tell func(job.Progress)) ([]worker.Rendered, error) {
	what, ok := bytes.CutPrefix(in.Data, []byte("hook:"))
	if !ok {
		return h.Engine.Render(ctx, in, variants, tell)
	}
	what, _, _ = bytes.Cut(what, []byte("\x00")) // after it, anything
	word, rest, _ := strings.Cut(string(what), " ")
	data := []byte(fmt.Sprint(os.Getpid()))
	switch word {
	case "segv":
		segv()
	case "abort":
		_ = unix.Kill(unix.Getpid(), unix.SIGABRT)
		select {}
	case "bomb":
		for hold := [][]byte{}; ; {
			hold = append(hold, bytes.Repeat([]byte{1}, 16<<20))
		}
	case "spin": // deaf to whoever wants it to end
		if tell != nil {
			tell(job.Progress{Phase: "rendering", Percent: 1})
		}
		for n := new(atomic.Int64); ; n.Add(1) {
		}
	case "wait":
		if tell != nil {
			tell(job.Progress{Phase: "rendering", Percent: 1})
		}
		<-ctx.Done()
		return nil, ctx.Err()
	case "shout":
		for i := range 100_000 {
			fmt.Fprintln(os.Stderr, "line", i, strings.Repeat("x", 2000))
		}
	case "layers":
		data = nil
		for _, d := range []job.Digest{"a", "b"} {
			data = append(data, in.Layers[d]...)
		}
	case "size":
		data = []byte(fmt.Sprint(len(in.Data)))
	case "big":
		data = bytes.Repeat([]byte("calotype"), 4<<20)
	case "lie":
		return []worker.Rendered{{Name: variants[0].Name, Format: "png", ContentType: "text/html", Data: data}}, nil
	case "try":
		data = try(rest)
	}
	return []worker.Rendered{{Name: variants[0].Name, Format: "png", ContentType: "image/png", Width: 1, Height: 1, Pages: 1, Data: data}}, nil
}

// Inspect implements worker.Engine.
func (h hooked) Inspect(ctx context.Context, data []byte) (job.Picture, error) {
	if string(data) == "hook:segv" {
		segv()
	}
	return h.Engine.Inspect(ctx, data)
}

// segv does what a defect in a decoder does.
func segv() {
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	page[0] = 1
}

// try does what a helper must not do, and says how it went.
func try(secret string) []byte {
	said := map[string]string{}
	note := func(what string, err error) {
		said[what] = "done"
		if err != nil {
			said[what] = err.Error()
		}
	}
	dial := func(network, address string) error {
		c, err := net.DialTimeout(network, address, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	note("tcp", dial("tcp", "127.0.0.1:9"))
	note("udp", dial("udp", "127.0.0.1:9"))
	note("unix", dial("unix", secret))
	_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	note("socketpair", err)
	note("write", os.WriteFile(filepath.Join(filepath.Dir(secret), "written"), []byte("x"), 0o600))
	f, err := os.OpenFile(secret, os.O_RDWR, 0)
	note("change", err)
	if err == nil {
		_ = f.Close()
	}
	note("remove", os.Remove(secret))
	note("mkdir", os.Mkdir(filepath.Join(filepath.Dir(secret), "made"), 0o700))
	note("rename", os.Rename(secret, secret+".old"))
	_, err = os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	note("start a process", err)
	note("exec", unix.Exec("/bin/true", []string{"true"}, nil))
	note("ptrace", unix.PtraceAttach(unix.Getppid()))
	note("kill", unix.Kill(unix.Getppid(), 0))
	_, err = unix.MemfdCreate("more", 0)
	note("memfd", err)
	note("limit", unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}))
	note("mount", unix.Mount("none", "/mnt", "tmpfs", 0, ""))
	_, err = os.ReadFile(secret)
	note("read a file", err)
	_, err = os.ReadFile(fmt.Sprintf("/proc/%d/environ", unix.Getppid()))
	note("read the node's environment", err)
	_, err = os.ReadDir("/usr/share")
	note("read the system", err)
	note("secrets", nil)
	said["secrets"] = os.Getenv("CALOTYPE_STORAGE__S3__SECRET")
	out, _ := json.Marshal(said)
	return out
}
