package isolation

import "golang.org/x/sys/unix"

const machine = unix.AUDIT_ARCH_AARCH64

// native are the calls of this architecture alone that do no harm.
var native = []uint32{unix.SYS_FSTATAT}

// opening are the calls that open files, and where their flags are.
var opening = map[uint32]int{unix.SYS_OPENAT: 2}
