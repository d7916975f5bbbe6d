package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// backend is a process whose processor time is told, with all that it started.
type backend struct {
	name string
	pid  func() int
}

const tick = 10 * time.Millisecond // of the kernel's counters, on every Linux there is

func (s *backend) used(tb testing.TB) time.Duration {
	tb.Helper()
	ticks, err := usedBy(s.pid(), true)
	if err != nil {
		tb.Fatalf("the processor time of %s: %v", s.name, err)
	}
	return time.Duration(ticks) * tick
}

// usedBy counts a process, its children that live, and of the first those that have ended.
func usedBy(pid int, first bool) (ticks int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // from the third on
	counted := fields[11:13]
	if first {
		counted = fields[11:15]
	}
	for _, f := range counted {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return ticks, nil //nolint:nilerr // it has ended meanwhile
	}
	for _, word := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return 0, err
		}
		n, _ := usedBy(child, false) // some end by themselves
		ticks += n
	}
	return ticks, nil
}
