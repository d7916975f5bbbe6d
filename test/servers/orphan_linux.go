package servers

import "syscall"

// dieWithTest makes the kernel end the server when the test's process is killed and cannot do it itself.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
