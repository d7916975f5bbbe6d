// Package blob is the storage service's domain: what a blob is, and the port to wherever blobs are kept. It knows no wire format
// and no medium.
package blob

import (
	"context"
	"io"
	"time"
)

// Info describes a stored blob.
type Info struct {
	Digest  Digest
	Size    int64     // bytes
	Created time.Time // when the bytes that are there were stored; Used where the medium does not know it
	Used    time.Time // when they were put or touched last
}

// Want is what bytes to come are promised to be. The zero Digest and Size 0 promise nothing.
type Want struct {
	Digest Digest
	Size   int64
}

// Outcome says what a Put found.
type Outcome uint8

// The outcomes of a Put that succeeded.
const (
	Stored  Outcome = iota // the blob is new
	Existed                // the blob was there and whole
	Healed                 // the blob was there but damaged, and was replaced by the good bytes
)

func (o Outcome) String() string { return [...]string{"stored", "existed", "healed"}[o] }

// Store keeps blobs. All methods are safe for concurrent use, by several processes on one medium too, and give up with the
// context's error when it ends. Errors that are not named here are Internal (the medium is damaged) or Unavailable (try again).
//
// Put, Touch and Delete of one blob are in some order, whoever calls them: that is what lets garbage be told from what is about to be
// needed. A medium that cannot delete under a condition (an object store: a touch is a copy of the object onto itself) has to
// describe the blob once more right before it deletes it; then what keeps a blob that is touched in that very moment is that nobody
// asks for less than a grace of hours, and its adapter must say so.
//
// It has six methods, not four: Stat beside Open spares an object store the transfer.
type Store interface {
	// Put stores all that r gives, under the sha256 of it. When it returns without an error the bytes are verified and survive a
	// crash of the machine; when it returns one, or the process dies in it, nothing has appeared under any digest. Putting what is
	// there changes nothing but when it was used; the bytes that are there are verified before it succeeds.
	//
	// Errors: Invalid DIGEST_MISMATCH or SIZE_MISMATCH where the bytes are not what want promises; Exhausted STORAGE_FULL;
	// r's own error, wrapped.
	Put(ctx context.Context, r io.Reader, want Want) (Info, Outcome, error)

	// Open reads a part of a blob. Info describes the whole blob. Where the whole blob is asked for, it is verified, unless the caller
	// does so: the read that meets its end fails with Internal BLOB_CORRUPT when its bytes do not give its digest. The reader must
	// be closed.
	//
	// Errors: NotFound BLOB_NOT_FOUND; Invalid OUT_OF_RANGE where the offset is past the end or a figure is negative.
	Open(ctx context.Context, d Digest, part Part) (Info, io.ReadCloser, error)

	// Stat describes a blob. Errors: NotFound BLOB_NOT_FOUND.
	Stat(ctx context.Context, d Digest) (Info, error)

	// Touch notes that a blob is used now, and describes it. A crash of the machine may take that back by up to a minute. Its time never
	// goes back otherwise, whatever the clock does. Errors: NotFound BLOB_NOT_FOUND.
	Touch(ctx context.Context, d Digest) (Info, error)

	// Delete removes a blob, durably; removing what is not there succeeds. Unless unusedSince is zero, it removes only what was
	// used before that time. Errors: Conflict BLOB_IN_USE.
	Delete(ctx context.Context, d Digest, unusedSince time.Time) error

	// List gives at most limit blobs, those that follow after, in the order of their digests; fewer only when there are no more. A
	// blob that is put or deleted meanwhile may be in or not; all others are listed exactly once. It holds about limit blobs
	// in memory, however many there are.
	List(ctx context.Context, after Digest, limit int) ([]Info, error)
}
