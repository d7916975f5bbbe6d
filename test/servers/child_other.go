//go:build !linux

package servers

import "syscall"

// dieWithTest asks for nothing where the kernel offers nothing: a server outlives a test process that is killed.
func dieWithTest() *syscall.SysProcAttr { return nil }

// awaitStopped trusts that a signal arrives before the next request does.
func awaitStopped(int) error { return nil }
