package isolation

import "golang.org/x/sys/unix"

const machine = unix.AUDIT_ARCH_X86_64

// native are the calls of this architecture alone that do no harm.
var native = []uint32{
	unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_NEWFSTATAT, unix.SYS_ACCESS, unix.SYS_READLINK, unix.SYS_POLL, unix.SYS_SELECT, unix.SYS_EPOLL_WAIT,
	unix.SYS_PIPE, unix.SYS_DUP2, unix.SYS_TIME, unix.SYS_ARCH_PRCTL,
}

// opening are the calls that open files, and where their flags are.
var opening = map[uint32]int{unix.SYS_OPEN: 1, unix.SYS_OPENAT: 2}
