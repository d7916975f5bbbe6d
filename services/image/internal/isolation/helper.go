//go:build linux

package isolation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setUp is how long a helper may take until it is ready: it is the library's own start, on a machine that may be busy.
const setUp = 30 * time.Second

// helper is the node's side of one helper process.
type helper struct {
	process  *os.Process
	link     *link
	region   *region
	settings string // that its engine has
	sandbox  Sandbox
	calls    uint64
	began    time.Time
	words    *words
	gone     chan struct{} // closed when it has ended and been waited for
	ended    error         // how; after gone

	mu  sync.Mutex
	why string // the reason with which this side ended it; empty: it ended by itself
}

// startHelper starts a process and waits until it is ready.
func startHelper(ctx context.Context, t *thread, env []string, m *message, say func(line string)) (*helper, error) {
	h := &helper{began: time.Now(), gone: make(chan struct{})}
	if err := h.start(t, env, say); err != nil {
		return nil, fmt.Errorf("starting a helper process: %w", err)
	}
	defer context.AfterFunc(ctx, func() { h.kill(byClose) })()
	_ = h.link.conn.SetDeadline(time.Now().Add(setUp))
	err := h.link.send(m, -1)
	var answer message
	if err == nil {
		answer, _, _, err = h.link.receive(0)
	}
	switch {
	case err == nil && answer.Kind == ready && answer.Sandbox != nil:
		h.settings, h.sandbox = string(m.Settings), *answer.Sandbox
		return h, h.link.conn.SetDeadline(time.Time{})
	case err == nil && answer.Fault != nil:
		err = answer.Fault.err()
	case err == nil:
		err = fmt.Errorf("it says %q", answer.Kind)
	}
	h.kill(byFailure)
	<-h.gone
	if last := h.words.gist(); last != "" && answer.Fault == nil {
		err = fmt.Errorf("%w; it wrote: %s", err, last)
	}
	return nil, fmt.Errorf("a helper process did not get ready: %w", err)
}

func (h *helper) start(t *thread, env []string, say func(string)) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	defer theirs.Close()
	if h.link, err = newLink(os.NewFile(uintptr(pair[0]), "socket")); err != nil {
		return err
	}
	heard, spoken, err := os.Pipe()
	if err != nil {
		return errors.Join(err, h.link.conn.Close())
	}
	defer spoken.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return errors.Join(err, h.link.conn.Close(), heard.Close())
	}
	defer null.Close()
	t.do(func() {
		h.process, err = os.StartProcess("/proc/self/exe", []string{"calotype-helper"}, &os.ProcAttr{
			Dir: "/", Env: env, Files: []*os.File{null, spoken, spoken, theirs},
			// A terminal's Ctrl-C is for the node, which lets its helpers finish.
			Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true},
		})
	})
	if err != nil {
		return errors.Join(err, h.link.conn.Close(), heard.Close())
	}
	h.words = listen(heard, say)
	go func() {
		state, err := h.process.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		<-h.words.over
		h.ended = err
		_ = h.link.conn.Close()
		close(h.gone)
	}()
	return nil
}

// kill ends the process at once. The first reason stands.
func (h *helper) kill(why string) {
	h.because(why)
	_ = h.process.Kill()
	_ = h.link.conn.SetDeadline(time.Unix(1, 0)) // who reads need not wait until the system has cleared the memory away
}

// dismiss lets an idle helper end by itself, or kills it when it does not.
func (h *helper) dismiss(why string) {
	h.because(why)
	h.region.free()
	_ = h.link.conn.Close()
	late := time.AfterFunc(time.Second, func() { _ = h.process.Kill() })
	go func() {
		<-h.gone
		late.Stop()
	}()
}

func (h *helper) because(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == "" {
		h.why = why
	}
}

// reason is why it ended, in a word for the metrics.
func (h *helper) reason() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == "" {
		return byCrash
	}
	return h.why
}

// resident is how much memory the process holds, in bytes, or 0 when nobody knows.
func (h *helper) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", h.process.Pid))
	var size, resident int64
	if _, bad := fmt.Sscan(string(text), &size, &resident); err != nil || bad != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// environment is what a helper is told: what the runtime, the library and their memory go by, and none of the node's secrets.
func environment(node []string) []string {
	env := []string{mark + "=1", "GOMAXPROCS=2"}
	for _, v := range node {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "HOME", "LANG", "TZ", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH", "MALLOC_CONF", "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_",
			"GODEBUG", "GOGC", "GOTRACEBACK", "GOCOVERDIR", "XDG_DATA_HOME", "XDG_DATA_DIRS", "XDG_CACHE_HOME", "XDG_CONFIG_HOME":
		default:
			if !strings.HasPrefix(name, "LC_") && !strings.HasPrefix(name, "VIPS_") && !strings.HasPrefix(name, "FONTCONFIG_") {
				continue
			}
		}
		env = append(env, v)
	}
	return env
}
