package fs

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func look(name string) (attributes, error) {
	return statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW)
}

func lookInto(f *os.File) (attributes, error) {
	return statx(int(f.Fd()), "", unix.AT_EMPTY_PATH)
}

func statx(dir int, name string, flags int) (attributes, error) {
	var st unix.Statx_t
	if err := unix.Statx(dir, name, flags, unix.STATX_SIZE|unix.STATX_MTIME|unix.STATX_BTIME, &st); err != nil {
		return attributes{}, os.NewSyscallError("statx", err)
	}
	a := attributes{size: int64(st.Size), modified: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec))}
	if st.Mask&unix.STATX_BTIME != 0 {
		a.born = time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
	}
	return a, nil
}
