package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// namer gives bytes that the store, or this process, has their real name. Where the blob is to be fresh it may fail with isTaken when
// it is not, or replace equal bytes.
type namer interface {
	name(ctx context.Context, fresh bool) error
}

// commit names the blob, unless whole bytes have that name already. Those are read to be sure of them: saying "stored" of a damaged blob
// would throw the good bytes away.
func (s *Store) commit(ctx context.Context, d blob.Digest, size int64, bytes namer) (blob.Info, blob.Outcome, error) {
	info, err := s.add(ctx, d, size, bytes)
	if !errors.Is(err, errThere) {
		return info, blob.Stored, err
	}
	if err = s.inspect(ctx, d); err == nil {
		info, err = s.Touch(ctx, d)
	}
	outcome := blob.Healed
	switch {
	case err == nil:
		return info, blob.Existed, nil
	case fault.Is(err, fault.NotFound): // it is no longer there
		outcome = blob.Stored
	case fault.ReasonOf(err) == "BLOB_CORRUPT":
		s.log.WarnContext(ctx, "replacing a damaged blob by good bytes", "digest", d, "error", err)
	default:
		return blob.Info{}, 0, err
	}
	done, err := s.order.take(ctx, d)
	if err != nil {
		return blob.Info{}, 0, err
	}
	defer done()
	info, err = s.write(ctx, d, size, bytes, false)
	return info, outcome, err
}

var errThere = errors.New("the blob is there")

// add names a blob that is not there, or fails with errThere.
func (s *Store) add(ctx context.Context, d blob.Digest, size int64, bytes namer) (blob.Info, error) {
	done, err := s.order.take(ctx, d)
	if err != nil {
		return blob.Info{}, err
	}
	defer done()
	_, err = s.head(ctx, blobs+d.String())
	if err == nil {
		return blob.Info{}, errThere
	}
	if !isMissing(err) {
		return blob.Info{}, s.failed(ctx, err, d, "look for the blob")
	}
	return s.write(ctx, d, size, bytes, true)
}

// write names the bytes and notes their use, for who has the turn; then it has the store describe what it has.
func (s *Store) write(ctx context.Context, d blob.Digest, size int64, bytes namer, fresh bool) (blob.Info, error) {
	used := time.Now().UTC()
	if !fresh {
		if before, err := s.used(ctx, d); err == nil && before.After(used) {
			used = before
		}
	}
	g, both := errgroup.WithContext(ctx)
	g.Go(func() error { return bytes.name(both, fresh) })
	g.Go(func() error { return s.noteUse(both, d, used) })
	if err := g.Wait(); isTaken(err) {
		return blob.Info{}, errThere
	} else if err != nil {
		return blob.Info{}, s.failed(ctx, err, d, "name the blob")
	}
	object, err := s.head(ctx, blobs+d.String())
	if isMissing(err) || err == nil && object.Size != size {
		err = busy(fmt.Errorf("blob %s of %d bytes has %d right after it was stored", d, size, object.Size), 0)
	}
	if err != nil {
		return blob.Info{}, s.failed(ctx, err, d, "look at the blob")
	}
	return infoOf(d, object.Size, object.LastModified, used), nil
}

// inspect reads a stored blob through.
func (s *Store) inspect(ctx context.Context, d blob.Digest) error {
	_, r, err := s.Open(ctx, d, blob.Part{})
	if err != nil {
		return err
	}
	defer r.Close()
	buf := s.copies.Get().(*[]byte)
	defer s.copies.Put(buf)
	for {
		_, err := r.Read(*buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
