package blob

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"time"

	"calotype/kit/fault"
)

// What follows is the same for every adapter: the errors of the port, and the checks behind them.

// NotFound is the error for a blob that is not there.
func NotFound(d Digest) error {
	return fault.New(fault.NotFound, "BLOB_NOT_FOUND", "there is no blob %s", d)
}

// InUse is the error for a blob that is to be deleted as unused, and is not.
func InUse(d Digest, used time.Time) error {
	return fault.New(fault.Conflict, "BLOB_IN_USE", "blob %s was used at %s", d, used.UTC().Format(time.RFC3339))
}

// Corrupt is the error for a blob whose bytes are no longer those that were put.
func Corrupt(d Digest) error {
	return fault.New(fault.Internal, "BLOB_CORRUPT", "the stored bytes of blob %s are damaged", d)
}

// Full is the error for a medium without room; cause may be nil.
func Full(cause error) error {
	err := fault.New(fault.Exhausted, "STORAGE_FULL", "the storage has no room for the blob")
	err.Err = cause
	return err
}

// Check compares the bytes that came with what was promised.
func (w Want) Check(d Digest, size int64) error {
	if w.Size != 0 && w.Size != size {
		return fault.New(fault.Invalid, "SIZE_MISMATCH", "%d bytes came where %d were promised", size, w.Size)
	}
	if !w.Digest.IsZero() && w.Digest != d {
		return fault.New(fault.Invalid, "DIGEST_MISMATCH", "the bytes that came have the sha256 %s, not the promised %s", d, w.Digest)
	}
	return nil
}

// Part is what is wanted of a blob, in bytes. The zero Part is all of it, verified.
type Part struct {
	Offset int64
	Length int64 // 0, or more than there are, is all to the end
	// Unverified leaves it to the caller to compare the bytes with the digest.
	Unverified bool
}

// Of gives the number of bytes to read from p's offset of a blob of this size, and says whether they are to be verified.
func (p Part) Of(size int64) (n int64, verify bool, err error) {
	if p.Offset < 0 || p.Length < 0 {
		return 0, false, fault.New(fault.Invalid, "OUT_OF_RANGE", "offset %d and length %d must not be negative", p.Offset, p.Length)
	}
	if p.Offset > size {
		return 0, false, fault.New(fault.Invalid, "OUT_OF_RANGE", "offset %d is past the end of a blob of %d bytes", p.Offset, size)
	}
	n = size - p.Offset
	if p.Length > 0 {
		n = min(n, p.Length)
	}
	return n, n == size && !p.Unverified, nil
}

// Verify passes a whole blob's bytes through; the read that meets their end fails with Corrupt when they do not give d.
func Verify(r io.ReadCloser, d Digest) io.ReadCloser {
	return &verifier{r: r, want: d, sum: sha256.New()}
}

type verifier struct {
	r    io.ReadCloser
	want Digest
	sum  hash.Hash
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && Digest(v.sum.Sum(nil)) != v.want {
		err = Corrupt(v.want)
	}
	return n, err
}

func (v *verifier) Close() error { return v.r.Close() }
