package originals

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"calotype/services/image/internal/job"
)

// Kept gives what Keep kept under a key, or nil. It is shared: nobody may write to it.
func (s *Store) Kept(key job.Digest) []byte {
	if data, ok := s.memory.Get(key); ok {
		return data
	}
	if s.disk == nil {
		return nil
	}
	sealed := s.disk.read(key, int64(s.cfg.Disk), whole)
	if sealed == nil {
		return nil
	}
	data := sealed[: len(sealed)-sha256.Size : len(sealed)-sha256.Size]
	s.memory.Add(key, data, int64(len(data)))
	return data
}

// Keep keeps what was made of an original as originals are kept: as long, and within the same bounds. Its key must be no original's digest.
func (s *Store) Keep(key job.Digest, data []byte) {
	s.memory.Add(key, data, int64(len(data)))
	if s.disk == nil {
		return
	}
	sum := seal(key, data)
	if !s.disk.offer(key, slices.Concat(data, sum[:])) {
		s.metrics.skipped.Inc()
	}
}

// seal tells whether a file is whole that has no digest for its name.
func seal(key job.Digest, data []byte) [sha256.Size]byte {
	sum := sha256.Sum256(data)
	return sha256.Sum256(slices.Concat([]byte(key), sum[:]))
}

// whole reports whether a file ends with its seal.
func whole(key job.Digest, data []byte) bool {
	at := len(data) - sha256.Size
	if at < 0 {
		return false
	}
	sum := seal(key, data[:at])
	return bytes.Equal(sum[:], data[at:])
}
