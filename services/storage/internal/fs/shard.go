package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// shard is one of the folders that blobs are spread over, so that none holds them all.
type shard struct {
	mu      sync.Mutex
	durable bool // the folder's own name is known to be on the disk

	turn chan struct{} // holds one while somebody in this process has or wants the folder's lock
}

func (s *Store) shardFolder(first byte) string {
	return filepath.Join(s.blobs, fmt.Sprintf("%02x", first))
}

func (s *Store) path(d blob.Digest) string {
	return filepath.Join(s.shardFolder(d[0]), d.String())
}

// makeShard makes the folder that a blob belongs in. Another process may have made it a moment ago, and not come to syncing it.
func (s *Store) makeShard(first byte) error {
	sh := &s.shards[first]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	err := os.Mkdir(s.shardFolder(first), 0o750)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return classify(err, "make a folder for the blob")
	}
	if err == nil || !sh.durable {
		if err := syncFolder(s.blobs); err != nil {
			return classify(err, "bring a folder for the blob to the disk")
		}
		sh.durable = true
	}
	return nil
}

// lock keeps all others, in this process and in others on the same folder, from naming, touching and removing blobs in a shard. The
// kernel drops the lock of a process that dies; one that is stopped keeps it, which is why callers wait no longer than ctx lasts. The
// error is fs.ErrNotExist where no blob ever came to the shard.
func (s *Store) lock(ctx context.Context, first byte) (unlock func(), err error) {
	turn := s.shards[first].turn
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, err := lockFolder(ctx, s.shardFolder(first))
	if err != nil {
		<-turn
		return nil, err
	}
	return func() {
		f.Close() // and with it goes the lock
		<-turn
	}, nil
}

// lockFolder asks again and again: who waits in the kernel cannot be called back.
func lockFolder(ctx context.Context, name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, classify(err, "open a folder of blobs")
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, classify(err, "lock a folder of blobs")
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

// commit gives a temporary its real name, unless a blob has it that was put meanwhile: of equal blobs put at once the first one stays.
func (s *Store) commit(ctx context.Context, t *temp, d blob.Digest, outcome blob.Outcome) (blob.Outcome, error) {
	unlock, err := s.lock(ctx, d[0])
	if err != nil {
		return 0, err
	}
	defer unlock()
	if outcome == blob.Stored {
		if _, err := s.renew(d); err == nil || !fault.Is(err, fault.NotFound) {
			return blob.Existed, err
		}
	}
	used := time.Now()
	if damaged, err := look(s.path(d)); err == nil && damaged.modified.After(used) {
		used = damaged.modified
	}
	if err := t.use(used); err != nil {
		return 0, err
	}
	return outcome, classify(t.rename(s.path(d)), "name the blob")
}

// syncShard makes the coming and going of names in a shard durable.
func (s *Store) syncShard(first byte) error {
	err := syncFolder(s.shardFolder(first))
	if errors.Is(err, os.ErrNotExist) {
		return nil // no blob ever came to this shard
	}
	return classify(err, "bring the blob's name to the disk")
}
