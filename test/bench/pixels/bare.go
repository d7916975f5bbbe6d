package pixels

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Bare is libvips and nothing else, in a process of its own.
type Bare struct {
	Version string
	path    string
}

// NewBare builds it against the libvips that pkg-config finds, or one of a path that has the same interface.
func NewBare(tb testing.TB, library string) *Bare {
	tb.Helper()
	b := &Bare{path: filepath.Join(tb.TempDir(), "bare")}
	flags, err := exec.CommandContext(tb.Context(), "pkg-config", "--cflags", "vips").Output()
	if err != nil {
		tb.Fatalf("pkg-config vips: %v", err)
	}
	source := filepath.Join(checkout(tb), "test", "bench", "pixels", "bare", "bare.c")
	args := append([]string{"-O2", "-o", b.path, source}, strings.Fields(string(flags))...)
	if library != "" {
		args = append(args, library, "-Wl,-rpath,"+filepath.Dir(library))
	} else if flags, err = exec.CommandContext(tb.Context(), "pkg-config", "--libs", "vips").Output(); err != nil {
		tb.Fatalf("pkg-config vips: %v", err)
	} else {
		args = append(args, strings.Fields(string(flags))...)
	}
	if out, err := exec.CommandContext(tb.Context(), "cc", append(args, "-lpthread")...).CombinedOutput(); err != nil {
		tb.Fatalf("build bare.c: %v\n%s", err, out)
	}
	b.Version = strings.TrimSpace(b.run(tb))
	return b
}

// Turn makes a task's pictures, each of a set by itself. Convert names the originals whose colours are to be converted.
func (b *Bare) Turn(tb testing.TB, t Task, files []string, convert map[string]bool, callers int) Lap {
	tb.Helper()
	args := []string{fmt.Sprint(callers), fmt.Sprint(t.Rounds), joined(t.Shapes, func(s Shape) string { return s.bare })}
	for _, f := range files {
		if convert[f] {
			f += "!"
		}
		args = append(args, f)
	}
	var l Lap
	var wall, cpu, p50, p99 float64
	if _, err := fmt.Sscan(b.run(tb, args...), &l.Pictures, &wall, &cpu, &p50, &p99, &l.Bytes); err != nil {
		tb.Fatalf("read what bare says: %v", err)
	}
	l.Wall, l.CPU, l.P50, l.P99 = duration(wall), duration(cpu), duration(p50/1e3), duration(p99/1e3)
	return l
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (b *Bare) run(tb testing.TB, args ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.path, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("run bare %v: %v", args, err)
	}
	return string(out)
}
