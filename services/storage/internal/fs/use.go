package fs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"calotype/services/storage/internal/blob"
)

// A use is brought to the disk when it is the first within so long a time: the same picture may be used many times a second.
const durableUse = time.Minute

// Touch notes that a blob is used now.
func (s *Store) Touch(ctx context.Context, d blob.Digest) (blob.Info, error) {
	if err := ctx.Err(); err != nil {
		return blob.Info{}, err
	}
	unlock, err := s.lock(ctx, d[0])
	if errors.Is(err, fs.ErrNotExist) {
		return blob.Info{}, blob.NotFound(d)
	}
	if err != nil {
		return blob.Info{}, err
	}
	defer unlock()
	return s.renew(d)
}

// renew is Touch for who holds the lock.
func (s *Store) renew(d blob.Digest) (blob.Info, error) {
	info, err := s.stat(d)
	if err != nil {
		return blob.Info{}, err
	}
	before := info.Used
	if now := time.Now(); now.After(before) {
		if err := os.Chtimes(s.path(d), now, now); err != nil {
			return blob.Info{}, classify(err, "note that the blob is used")
		}
		if info, err = s.stat(d); err != nil {
			return blob.Info{}, err
		}
	}
	if !info.Used.Truncate(durableUse).Equal(before.Truncate(durableUse)) {
		// A folder is synced like a file, and so is a file that may only be read.
		if err := syncFolder(s.path(d)); err != nil {
			return blob.Info{}, classify(err, "bring the blob's use to the disk")
		}
		s.step("use synced")
	}
	return info, nil
}

// Delete removes a blob.
func (s *Store) Delete(ctx context.Context, d blob.Digest, unusedSince time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.remove(ctx, d, unusedSince)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.syncShard(d[0])
}

func (s *Store) remove(ctx context.Context, d blob.Digest, unusedSince time.Time) error {
	unlock, err := s.lock(ctx, d[0])
	if err != nil {
		return err
	}
	defer unlock()
	if !unusedSince.IsZero() {
		a, err := look(s.path(d))
		if err != nil {
			return classify(err, "describe the blob")
		}
		if !a.modified.Before(unusedSince) {
			return blob.InUse(d, a.modified)
		}
		s.step("found unused")
	}
	return classify(os.Remove(s.path(d)), "remove the blob")
}
