package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"calotype/kit/internal/pause"
)

const (
	// maxWait is how long a server is asked to wait for a change: one that froze meanwhile is given up after that.
	maxWait = 10 * time.Second
	// breath keeps a key that changes all the time, or a proxy that does not block, from being asked all the time.
	breath = 50 * time.Millisecond
	// lookEvery is how soon a change of a file is seen.
	lookEvery = time.Second
)

// key follows a key of Consul's or etcd's.
type key struct {
	store *Store
	index uint64
	seen  *document
}

func (k *key) name() string { return k.store.Name() }
func (k *key) close() error { return k.store.Close() }

func (k *key) next(ctx context.Context) (document, error) {
	for {
		d, index, err := k.store.kept.await(ctx, k.index)
		if err != nil {
			k.index = 0 // after a failure the next answer counts, whatever its index
			return document{}, err
		}
		if index < k.index {
			index = 0
		}
		k.index = max(index, 1)
		if k.seen == nil || !k.seen.same(d) {
			k.seen = &d
			return d, nil
		}
		if !pause.For(ctx, breath) {
			return document{}, ctx.Err()
		}
	}
}

// file follows a file by looking at it. Its version is when it was written, in milliseconds.
type file struct {
	path string
	seen *document
}

func (f *file) name() string { return f.path }
func (f *file) close() error { return nil }

func (f *file) next(ctx context.Context) (document, error) {
	for {
		d, err := f.read()
		if err != nil {
			return document{}, err
		}
		if f.seen == nil || !f.seen.same(d) {
			f.seen = &d
			return d, nil
		}
		if !pause.For(ctx, lookEvery) {
			return document{}, ctx.Err()
		}
	}
}

func (f *file) read() (document, error) {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return document{}, nil
	}
	if err != nil {
		return document{}, fmt.Errorf("looking for live settings: %w", err)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return document{}, fmt.Errorf("reading live settings: %w", err)
	}
	return document{text, uint64(info.ModTime().UnixMilli())}, nil
}
