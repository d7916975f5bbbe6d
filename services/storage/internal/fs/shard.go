package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"calotype/services/storage/internal/blob"
)

// shard is one of the folders that blobs are spread over, so that none holds them all.
type shard struct {
	mu      sync.Mutex
	durable bool // the folder's own name is known to be on the disk
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

// commit gives a temporary its real name, one at a time in a shard, so that of equal blobs put at once the first one stays.
func (s *Store) commit(t *temp, d blob.Digest, outcome blob.Outcome) (blob.Outcome, error) {
	sh := &s.shards[d[0]]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if outcome == blob.Stored {
		if _, err := os.Lstat(s.path(d)); err == nil {
			return blob.Existed, nil
		}
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
