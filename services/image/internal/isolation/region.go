//go:build linux

package isolation

import (
	"fmt"

	"golang.org/x/sys/unix"

	"calotype/services/image/internal/job"
)

const (
	leastRegion = 1 << 20  // bytes
	mostKept    = 32 << 20 // bytes of shared memory that stays with a helper; what is larger goes with its call
	edge        = 64       // where the parts in it begin
)

// region is memory that this process writes and a helper reads.
type region struct {
	fd    int // until it is handed over
	bytes []byte
}

// newRegion makes one of at least size bytes. Once it is sealed, nobody can change its size under a reader's feet, or map it anew to
// write to it.
func newRegion(size int) (*region, error) {
	whole := leastRegion
	for whole < size && whole < mostKept {
		whole *= 2
	}
	whole = max(whole, size)
	fd, err := unix.MemfdCreate("calotype-pictures", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making shared memory: %w", err)
	}
	fail := func(err error) (*region, error) {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("making %d bytes of shared memory: %w", whole, err)
	}
	if err := unix.Ftruncate(fd, int64(whole)); err != nil {
		return fail(err)
	}
	bytes, err := unix.Mmap(fd, 0, whole, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fail(err)
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		_ = unix.Munmap(bytes)
		return fail(err)
	}
	return &region{fd, bytes}, nil
}

// handed forgets the file: who maps the memory keeps it.
func (r *region) handed() {
	_ = unix.Close(r.fd)
	r.fd = -1
}

func (r *region) free() {
	if r == nil {
		return
	}
	if r.fd >= 0 {
		_ = unix.Close(r.fd)
	}
	_ = unix.Munmap(r.bytes)
}

// room is how many bytes an input takes in shared memory.
func room(in job.Input) int {
	n := len(in.Data)
	for _, data := range in.Layers {
		n = even(n) + len(data)
	}
	return n
}

func even(n int) int { return (n + edge - 1) &^ (edge - 1) }

// put copies an input there, and says where.
func (r *region) put(in job.Input) (data span, layers []layer) {
	at := copy(r.bytes, in.Data)
	data = span{0, at}
	for d, bytes := range in.Layers {
		at = even(at)
		layers = append(layers, layer{d, span{at, copy(r.bytes[at:], bytes)}})
		at += len(bytes)
	}
	return data, layers
}

// view maps a region that somebody else writes.
func view(fd, size int) ([]byte, error) {
	defer unix.Close(fd)
	return unix.Mmap(fd, 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

// cut gives a part of shared memory.
func (s span) cut(from []byte) ([]byte, error) {
	if s.At < 0 || s.Size < 0 || s.At > len(from) || s.Size > len(from)-s.At {
		return nil, fmt.Errorf("bytes %d to %d of %d", s.At, s.At+s.Size, len(from))
	}
	return from[s.At : s.At+s.Size : s.At+s.Size], nil
}
