package fs

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// Free gives the bytes that are free on the disk for this process.
func (s *Store) Free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.blobs, &st); err != nil {
		return 0, classify(err, "ask for the room on the disk")
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// room fails when storing that many bytes more would leave less than the configured room.
func (s *Store) room(size int64) error {
	free, err := s.Free()
	if err != nil {
		return err
	}
	if free-s.minFree < size || free < s.minFree {
		return blob.Full(nil)
	}
	return nil
}

// Writable reports whether blobs can be put. A full disk is no fault in this sense: what is there can still be read, and a
// node that is taken out of service for it would take its blobs along.
func (s *Store) Writable(context.Context) error {
	t, err := s.temps.new()
	if err == nil {
		err = t.discard()
	}
	err = classify(err, "write to its folder")
	if err != nil && fault.Is(err, fault.Exhausted) {
		return nil
	}
	return err
}

// classify says what an error of the operating system means for a caller; nil stays nil.
func classify(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return blob.Full(err)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return fault.Wrap(err, fault.Unavailable, "STORAGE_BUSY", "the storage has too many files open")
	}
	return fault.Wrap(err, fault.Internal, "STORAGE_BROKEN", "the storage could not %s", doing)
}
