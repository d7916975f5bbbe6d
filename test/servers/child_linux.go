package servers

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithTest makes the kernel end the server when the test's process is killed and cannot do it itself.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// awaitStopped returns when all threads of a child that was sent SIGSTOP have stopped.
func awaitStopped(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
