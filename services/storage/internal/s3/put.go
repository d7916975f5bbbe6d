package s3

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"time"

	"calotype/services/storage/internal/blob"
)

// How long cleaning up may take after an upload that failed, whose caller may be gone.
const cleanWithin = 10 * time.Second

// Put keeps what comes in memory while it is no more than a part, and writes it under its name at once. What is longer goes to the store in
// parts: under its name where the caller has promised a digest, else under a temporary one from which the store copies it. Nothing is to
// be seen before all of it is there and its digest is right.
func (s *Store) Put(ctx context.Context, r io.Reader, want blob.Want) (blob.Info, blob.Outcome, error) {
	if err := s.enter(ctx); err != nil {
		return blob.Info{}, 0, err
	}
	in := &intake{ctx: ctx, store: s, want: want, sum: sha256.New()}
	defer in.discard()
	buf := s.copies.Get().(*[]byte)
	_, err := io.CopyBuffer(struct{ io.Writer }{in}, r, *buf)
	s.copies.Put(buf)
	if err != nil {
		return blob.Info{}, 0, fmt.Errorf("receiving a blob after %d bytes: %w", in.size, err)
	}
	if err := ctx.Err(); err != nil {
		return blob.Info{}, 0, err
	}
	d := blob.Digest(in.sum.Sum(nil))
	if err := want.Check(d, in.size); err != nil {
		return blob.Info{}, 0, err
	}
	name, err := in.finish(d)
	if err != nil {
		return blob.Info{}, 0, s.failed(ctx, err, d, "store the blob")
	}
	return s.commit(ctx, d, in.size, name)
}

// intake takes the bytes of one Put.
type intake struct {
	ctx   context.Context // of the one Put that it serves
	store *Store
	want  blob.Want
	sum   hash.Hash
	size  int64
	part  []byte     // what has not been sent
	large *multipart // nil while all fits into a part
}

func (in *intake) Write(p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	in.sum.Write(p)
	in.size += int64(len(p))
	for rest := p; len(rest) > 0; {
		if len(in.part) == cap(in.part) {
			if err := in.room(); err != nil {
				return 0, in.store.failed(in.ctx, err, blob.Digest{}, "receive the blob")
			}
		}
		n := min(cap(in.part)-len(in.part), len(rest))
		in.part = append(in.part, rest[:n]...)
		rest = rest[n:]
	}
	return len(p), nil
}

// room makes some, by sending a part that is full. The last one is kept until it is known that there is more: it may be the only one.
func (in *intake) room() (err error) {
	if len(in.part) < in.store.memory.part {
		in.part, err = in.store.memory.grow(in.ctx, in.part)
		return err
	}
	if in.large == nil {
		key := temporary + newName()
		if !in.want.Digest.IsZero() {
			key = blobs + in.want.Digest.String()
		}
		if in.large, err = in.store.begin(in.ctx, key); err != nil {
			return err
		}
	}
	full := in.part
	in.part = nil
	if err := in.large.send(full); err != nil {
		return err
	}
	in.part, err = in.store.memory.enlarge(in.ctx, nil, in.store.memory.part)
	return err
}

// finish has all the bytes sent, and gives what names them.
func (in *intake) finish(d blob.Digest) (namer, error) {
	if in.large == nil {
		return &small{in.store, d, in.part}, nil
	}
	last := in.part
	in.part = nil
	if err := in.large.send(last); err != nil {
		return nil, err
	}
	if err := in.large.sent(); err != nil {
		return nil, err
	}
	if in.large.key == blobs+d.String() {
		return in.large, nil
	}
	if err := in.large.name(in.ctx, false); err != nil {
		return nil, err
	}
	return &copied{in.store, in.large.key, d, in.size}, nil
}

// discard removes what is left of the Put, in memory and at the store.
func (in *intake) discard() {
	in.store.memory.free(in.part)
	if in.large == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(in.ctx), cleanWithin)
	defer cancel()
	if err := in.large.discard(ctx); err != nil {
		in.store.log.WarnContext(ctx, "the remains of an upload are left until they are swept", "key", in.large.key, "error", err)
	}
}
