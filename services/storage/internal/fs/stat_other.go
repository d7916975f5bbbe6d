//go:build !linux

package fs

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func look(name string) (attributes, error) {
	var st unix.Stat_t
	err := unix.Lstat(name, &st)
	return from(&st), os.NewSyscallError("lstat", err)
}

func lookInto(f *os.File) (attributes, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return from(&st), os.NewSyscallError("fstat", err)
}

func from(st *unix.Stat_t) attributes {
	return attributes{size: st.Size, born: time.Unix(st.Btim.Unix()), modified: time.Unix(st.Mtim.Unix())}
}
