//go:build linux

package isolation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"calotype/kit/fault"
	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/test/race"
)

// A helper is used again, and another takes its place after so many pictures.
func TestHelpersAreUsedAgain(t *testing.T) {
	w := begin(t, func(o *isolation.Options) { o.Pictures = 3 })
	var pids []string
	for range 6 {
		pid, err := w.hook(t.Context(), "pid")
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if pids[0] != pids[2] || pids[3] == pids[2] || pids[3] != pids[5] {
		t.Errorf("six pictures, three for each, were made by %v", pids)
	}
	eventually(t, "they are replaced", func() bool { return w.ends(t, "pictures") == 2 && w.value(t, "calotype_worker_helpers") == 2 })
}

// What crashes a helper costs its call and nothing else.
func TestACrashIsOneCall(t *testing.T) {
	w := begin(t, func(o *isolation.Options) { o.Renders = 2 })
	for _, what := range []string{"segv", "abort"} {
		var wg sync.WaitGroup
		beside, end := context.WithCancel(t.Context())
		begun := make(chan struct{})
		wg.Go(func() {
			_, err := w.Render(beside, job.Input{Data: []byte("hook:wait")}, []recipe.Variant{thumb}, func(job.Progress) { close(begun) })
			if !fault.Is(err, fault.Canceled) {
				t.Errorf("%s: its neighbour ended with %v", what, err)
			}
		})
		<-begun
		_, err := w.hook(t.Context(), what)
		if !fault.Is(err, fault.Internal) || fault.ReasonOf(err) != isolation.Crashed {
			t.Errorf("%s: %v", what, err)
		}
		t.Logf("%s: %v", what, err)
		w.works(t)
		end()
		wg.Wait()
	}
	eventually(t, "both are replaced", func() bool { return w.ends(t, "crashed") == 2 && w.value(t, "calotype_worker_helpers") == 3 })
	if text := w.log.text(); !strings.Contains(text, "SIGSEGV") {
		t.Error("the log does not tell of the crash")
	}
}

// A helper that somebody kills in the middle of a picture fails that picture; killed while it is idle, nobody notices.
func TestKilledFromOutside(t *testing.T) {
	w := begin(t)
	for range 5 {
		pid, err := w.hook(t.Context(), "pid")
		if err != nil {
			t.Fatal(err)
		}
		kill(t, pid)
		w.works(t)
	}
	pid, err := w.hook(t.Context(), "pid")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Render(t.Context(), job.Input{Data: []byte("hook:wait")}, []recipe.Variant{thumb}, func(job.Progress) { kill(t, pid) })
	if fault.ReasonOf(err) != isolation.Crashed || !strings.Contains(err.Error(), "killed") {
		t.Errorf("killed, the call ends with %v", err)
	}
	w.works(t)
}

func kill(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err == nil {
		err = unix.Kill(n, unix.SIGKILL)
	}
	if err != nil {
		t.Error(err)
	}
}

// A picture that wants more memory than there may be fails, and nothing else does.
func TestMemoryIsBounded(t *testing.T) {
	if race.Without(t) { // its shadow of the memory is larger than any limit
		return
	}
	w := begin(t, func(o *isolation.Options) { o.Memory = little })
	w.works(t)
	_, err := w.hook(t.Context(), "bomb")
	if fault.ReasonOf(err) != isolation.Crashed {
		t.Errorf("it ended with %v", err)
	}
	t.Log(err)
	w.works(t)
}

// Whatever a helper is at, a call ends soon after its time.
func TestEveryCallEndsInTime(t *testing.T) {
	w := begin(t, func(o *isolation.Options) { o.Renders = 2 })
	for _, what := range []string{"wait", "spin"} {
		for _, kind := range []fault.Kind{fault.Deadline, fault.Canceled} {
			ctx, cancel := context.WithCancel(t.Context())
			var began time.Time
			over := cancel
			if kind == fault.Deadline {
				ctx, over = context.WithTimeout(ctx, 300*time.Millisecond)
			}
			_, err := w.Render(ctx, job.Input{Data: []byte("hook:" + what)}, []recipe.Variant{thumb}, func(job.Progress) {
				if began = time.Now(); kind == fault.Canceled {
					cancel()
				}
			})
			took := time.Since(began)
			if at, ok := ctx.Deadline(); ok {
				took = time.Since(at)
			}
			over()
			cancel()
			t.Logf("%s, %v: %v after its end", what, kind, took.Round(time.Millisecond))
			if !fault.Is(err, kind) || took > 200*time.Millisecond+slack {
				t.Errorf("%s ended %v after its time, with %v", what, took, err)
			}
			w.works(t)
		}
	}
	if n := w.ends(t, "stopped"); n != 2 {
		t.Errorf("%v helpers were killed, where two were deaf", n)
	}
}

// slack is what a busy machine takes to wake up who waits.
const slack = 300 * time.Millisecond

// A helper reaches no network, writes no file, starts and disturbs no process, and sees no secret.
func TestTheSandboxHolds(t *testing.T) {
	t.Setenv("CALOTYPE_STORAGE__S3__SECRET", "secret")
	w := begin(t)
	box := w.Sandbox()
	if can := isolation.Find(); !box.SystemCalls || box.SystemCalls != can.SystemCalls || box.Files != can.Files || box.Memory == 0 {
		t.Errorf("it says %+v, and can do %+v", box, isolation.Find())
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := w.hook(t.Context(), "try "+secret)
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]string
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		t.Fatal(err)
	}
	for what, how := range said {
		t.Logf("%-28s %s", what, how)
		may := what == "read the system" || !box.Files && strings.HasPrefix(what, "read ")
		if what == "secrets" && how != "" || what != "secrets" && (how == "done") != may {
			t.Errorf("%s: %s", what, how)
		}
	}
	if len(said) < 19 {
		t.Errorf("it tried only %d things", len(said))
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
	w.works(t)
}

// What is wrong in a helper's answer is no picture.
func TestAnswersAreNotTrusted(t *testing.T) {
	w := begin(t)
	if _, err := w.hook(t.Context(), "lie"); !fault.Is(err, fault.Internal) {
		t.Errorf("a result of another kind: %v", err)
	}
	w.mu.Lock()
	w.cfg.Limits.OutputBytes = 1 << 20
	w.mu.Unlock()
	if _, err := w.hook(t.Context(), "big"); !fault.Is(err, fault.Internal) {
		t.Errorf("more bytes than may be: %v", err)
	}
	w.works(t)
}

// Large originals, and many, arrive whole, and large results come back.
func TestBytesArriveWhole(t *testing.T) {
	w := begin(t)
	for _, size := range []int{100, 1 << 20, 3<<20 + 1, 100 << 20, 5, 40 << 20} {
		data := append([]byte("hook:size\x00"), make([]byte, size)...)
		made, err := w.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{thumb}, nil)
		if err != nil || string(made[0].Data) != fmt.Sprint(len(data)) {
			t.Errorf("of %d bytes: %v", size, err)
		}
	}
	made, err := w.Render(t.Context(), job.Input{Data: []byte("hook:layers"), Layers: map[job.Digest][]byte{"a": []byte("one"), "b": []byte("two"), "c": nil}}, []recipe.Variant{thumb}, nil)
	if err != nil || string(made[0].Data) != "onetwo" {
		t.Errorf("layers: %v", err)
	}
	big, err := w.hook(t.Context(), "big")
	if err != nil || big != strings.Repeat("calotype", 4<<20) {
		t.Errorf("%d bytes, %v", len(big), err)
	}
	if _, err := w.hook(t.Context(), "shout"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(w.log.text(), "line="); n > 150 {
		t.Errorf("a loud helper fills the log with %d lines", n)
	}
}

// While no helper can be started, calls fail at once and the node is not ready; it goes on by itself.
func TestNoHelperCanBeStarted(t *testing.T) {
	if _, err := isolation.Open(isolation.Options{Config: isolation.DefaultConfig(), Renders: 1, Looks: 1, Log: begin(t).logger(),
		Settings: func() ([]byte, int64) { return []byte("no settings"), 1 }}); err == nil {
		t.Error("a pool opened without a helper")
	}
	w := begin(t)
	w.spoil(true)
	eventually(t, "all are gone", func() bool {
		_, rendered := w.hook(t.Context(), "segv")
		_, looked := w.Inspect(t.Context(), []byte("hook:segv"))
		return fault.ReasonOf(rendered) == isolation.NoHelper && fault.ReasonOf(looked) == isolation.NoHelper && w.Check(t.Context()) != nil
	})
	began := time.Now()
	if _, err := w.hook(t.Context(), "pid"); fault.ReasonOf(err) != isolation.NoHelper || !fault.Is(err, fault.Unavailable) {
		t.Errorf("without a helper: %v", err)
	}
	t.Logf("refused after %v; %v starts failed", time.Since(began).Round(time.Millisecond), w.ends(t, "failed"))
	failed := w.ends(t, "failed")
	time.AfterFunc(time.Second, func() { w.spoil(false) })
	eventually(t, "helpers are there again", func() bool { return w.value(t, "calotype_worker_helpers") == 2 && w.Check(t.Context()) == nil })
	if n := w.ends(t, "failed") - failed; n > 20 {
		t.Errorf("%v starts failed in about a second", n)
	}
	w.works(t)
}

// After the end nothing is left, and calls fail.
func TestCloseLeavesNothing(t *testing.T) {
	w := begin(t)
	pid, err := w.hook(t.Context(), "pid")
	if err != nil {
		t.Fatal(err)
	}
	begun, over := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := w.Render(context.Background(), job.Input{Data: []byte("hook:spin")}, []recipe.Variant{thumb}, func(job.Progress) { close(begun) })
		over <- err
	}()
	<-begun
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-over; err == nil {
		t.Error("a call ended well that had no end")
	}
	n, _ := strconv.Atoi(pid)
	if err := unix.Kill(n, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("the helper is still there: %v", err)
	}
	if _, err := w.hook(t.Context(), "pid"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("afterwards: %v", err)
	}
}
