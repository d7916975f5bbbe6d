//go:build unix

package litequeue

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"calotype/kit/fault"
)

// lockFile takes an advisory lock that the system gives back when the process dies: shared, or alone.
func lockFile(path string, alone bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the queue's lock cannot be opened")
	}
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		err = fault.Wrap(err, fault.Conflict, "QUEUE_IN_USE", "another process uses the queue in %s", path)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
