package fs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// workspace is one process's own folder for temporaries, below tmp in the same file system as the blobs. The process holds a lock
// on it as long as it lives, and the kernel drops that lock however it dies: so what is not locked is rubbish, and one
// node's start never removes what another is writing.
type workspace struct {
	folder string
	lock   *os.File

	// For tests: a disk that is full.
	create func(folder string) (*os.File, error)
}

// openWorkspace also removes the workspaces of the dead, and says how many temporaries were in them.
func openWorkspace(tmp string) (*workspace, int, error) {
	all, err := os.Open(tmp)
	if err != nil {
		return nil, 0, err
	}
	defer all.Close()
	// One process at a time: otherwise a sweeper could take a folder away between its making and its locking.
	if err := flock(all, unix.LOCK_EX); err != nil {
		return nil, 0, err
	}
	folder, err := os.MkdirTemp(tmp, "")
	if err != nil {
		return nil, 0, err
	}
	lock, err := os.Open(folder)
	if err != nil {
		return nil, 0, err
	}
	if err := flock(lock, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, 0, errors.Join(err, lock.Close())
	}
	swept, err := sweep(tmp)
	if err != nil {
		return nil, 0, errors.Join(err, lock.Close())
	}
	w := &workspace{folder: folder, lock: lock}
	w.create = func(folder string) (*os.File, error) { return os.CreateTemp(folder, "") }
	return w, swept, nil
}

func sweep(tmp string) (swept int, err error) {
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		name := filepath.Join(tmp, e.Name())
		if !e.IsDir() {
			if err := os.Remove(name); err != nil {
				return swept, err
			}
			swept++
			continue
		}
		n, err := sweepOne(name)
		if err != nil {
			return swept, err
		}
		swept += n
	}
	return swept, nil
}

func sweepOne(folder string) (int, error) {
	f, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // its owner closed it just now
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return 0, nil // its owner lives, or is this process
	}
	if err != nil {
		return 0, err
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return 0, err
	}
	return len(names), os.RemoveAll(folder)
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("flock", err)
		}
	}
}

func (w *workspace) close() error {
	return errors.Join(os.RemoveAll(w.folder), w.lock.Close())
}

// temp is one temporary. It is removed by discard unless it was renamed before.
type temp struct {
	*os.File
	renamed bool
}

func (w *workspace) new() (*temp, error) {
	f, err := w.create(w.folder)
	if err != nil {
		return nil, err
	}
	return &temp{File: f}, nil
}

func (t *temp) rename(to string) error {
	err := os.Rename(t.Name(), to)
	t.renamed = err == nil
	return err
}

// use notes that the blob to be is used at that time.
func (t *temp) use(at time.Time) error {
	return classify(os.Chtimes(t.Name(), at, at), "note that the blob is used")
}

func (t *temp) discard() error {
	if t.renamed {
		return t.Close()
	}
	return errors.Join(t.Close(), os.Remove(t.Name()))
}
