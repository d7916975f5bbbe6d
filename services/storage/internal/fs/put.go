package fs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// How many bytes may be written before the room on the disk is looked at again.
const roomEvery = 64 << 20

// Put writes to a temporary, hashing as it writes; then syncs it, renames it and syncs the folder, in this order.
func (s *Store) Put(ctx context.Context, r io.Reader, want blob.Want) (blob.Info, blob.Outcome, error) {
	if err := s.room(want.Size); err != nil {
		return blob.Info{}, 0, err
	}
	t, err := s.temps.new()
	if err != nil {
		return blob.Info{}, 0, classify(err, "make a temporary file")
	}
	defer func() {
		if err := t.discard(); err != nil {
			s.log.WarnContext(ctx, "a temporary is left until the next start", "file", t.Name(), "error", err)
		}
		s.step("discarded")
	}()
	s.step("created")
	d, size, err := s.receive(ctx, t, r)
	if err != nil {
		return blob.Info{}, 0, err
	}
	if err := want.Check(d, size); err != nil {
		return blob.Info{}, 0, err
	}
	return s.keep(ctx, t, d)
}

// receive copies r into the temporary.
func (s *Store) receive(ctx context.Context, t *temp, r io.Reader) (blob.Digest, int64, error) {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	in := &intake{ctx: ctx, store: s, to: t, sum: sha256.New()}
	if _, err := io.CopyBuffer(in, r, *buf); err != nil {
		return blob.Digest{}, 0, fmt.Errorf("receiving a blob after %d bytes: %w", in.size, err)
	}
	return blob.Digest(in.sum.Sum(nil)), in.size, nil
}

type intake struct {
	ctx   context.Context // of the one Put that it serves
	store *Store
	to    io.Writer
	sum   hash.Hash
	size  int64
}

func (in *intake) Write(p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	if in.size/roomEvery != (in.size+int64(len(p)))/roomEvery {
		if err := in.store.room(0); err != nil {
			return 0, err
		}
	}
	in.sum.Write(p)
	n, err := in.to.Write(p)
	in.size += int64(n)
	in.store.step("wrote")
	return n, classify(err, "write the blob")
}

// keep gives the temporary its real name, unless whole bytes have that name already. Those are read to be sure of them: saying
// "stored" of a damaged blob would throw the good bytes away.
func (s *Store) keep(ctx context.Context, t *temp, d blob.Digest) (blob.Info, blob.Outcome, error) {
	if err := s.makeShard(d[0]); err != nil {
		return blob.Info{}, 0, err
	}
	there, err := s.inspect(ctx, d)
	if err == nil {
		s.step("verified")
		there, err = s.Touch(ctx, d)
	}
	outcome := blob.Stored
	switch {
	case err == nil:
		// Whoever renamed it may not have come to syncing the folder yet.
		return there, blob.Existed, s.syncShard(d[0])
	case fault.Is(err, fault.NotFound): // or no longer there
	case ctx.Err() != nil:
		return blob.Info{}, 0, ctx.Err()
	default:
		s.log.WarnContext(ctx, "replacing a damaged blob by good bytes", "digest", d, "error", err)
		outcome = blob.Healed
	}
	// Nobody may write to a blob, not even its owner by mistake.
	if err := t.Chmod(0o440); err != nil {
		return blob.Info{}, 0, classify(err, "protect the blob")
	}
	// The last bytes may have come a while ago; and the use that commit notes is not synced.
	if err := t.use(time.Now()); err != nil {
		return blob.Info{}, 0, err
	}
	if err := t.Sync(); err != nil {
		return blob.Info{}, 0, classify(err, "bring the blob to the disk")
	}
	s.step("synced")
	if outcome, err = s.commit(ctx, t, d, outcome); err != nil {
		return blob.Info{}, 0, err
	}
	s.step("renamed")
	if err := s.syncShard(d[0]); err != nil {
		return blob.Info{}, 0, err
	}
	s.step("folder synced")
	info, err := s.Stat(ctx, d)
	if err != nil && fault.Is(err, fault.NotFound) { // deleted in this moment: it was there
		info, err = describe(t.File, d)
	}
	return info, outcome, err
}

// inspect reads a stored blob through. Together with an error other than NotFound it still gives what is known of the blob.
func (s *Store) inspect(ctx context.Context, d blob.Digest) (blob.Info, error) {
	info, r, err := s.Open(ctx, d, blob.Part{})
	if err != nil {
		return info, err
	}
	defer r.Close()
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return info, err
		}
		_, err := r.Read(*buf)
		if errors.Is(err, io.EOF) {
			return info, nil
		}
		if err != nil {
			return info, err
		}
	}
}
