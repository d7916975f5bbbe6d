package nginx

import "syscall"

// dieWithParent leaves no nginx behind that nobody looks after.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
