//go:build linux

package isolation

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const mostFiles = 64 // open at once: fonts, profiles, modules, and what the runtime waits with

// limit bounds what the process may use. It cannot be taken back.
func limit(memory int64) error {
	for _, l := range []struct {
		what  string
		which int
		most  uint64
	}{
		{"memory", unix.RLIMIT_DATA, uint64(memory)},
		{"dumps", unix.RLIMIT_CORE, 0},
		{"files", unix.RLIMIT_NOFILE, mostFiles},
		{"written bytes", unix.RLIMIT_FSIZE, 0},
	} {
		if err := unix.Setrlimit(l.which, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("limiting a helper's %s to %d: %w", l.what, l.most, err)
		}
	}
	return nil
}

// filter leaves every thread of the process the system calls that reading, computing and answering take.
func filter() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	program, err := rules(unix.Getpid())
	if err != nil {
		return err
	}
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&p)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if thread != 0 {
		return fmt.Errorf("seccomp: thread %d cannot be filtered", thread)
	}
	return nil
}

// Find tells what this system has to keep helpers in, without starting one.
func Find() Sandbox {
	box := Sandbox{SystemCalls: true}
	action := uint32(unix.SECCOMP_RET_ERRNO)
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action))); errno != 0 {
		box.SystemCalls, box.Missing = false, fmt.Sprintf("seccomp: %v", errno)
	}
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	box.Files = errno == 0 && version > 0
	return box
}
