package pixels

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// tick is the unit in which Linux tells a process' time.
const tick = 10 * time.Millisecond

// Used is the processor time of a process so far.
func Used(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // a name may hold anything
	var user, system time.Duration
	fields := strings.Fields(after)
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		tb.Fatal(err)
	}
	return (user + system) * tick
}

// Peak is the most memory that a process had, in MB.
func Peak(tb testing.TB, pid int) int {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	var kb int
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(after, &kb); err != nil {
		tb.Fatal(err)
	}
	return kb / 1000
}
