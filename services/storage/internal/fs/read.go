package fs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"calotype/services/storage/internal/blob"
)

// Open reads a blob or a part of it. A blob that is deleted or replaced meanwhile is read to its end all the same.
func (s *Store) Open(ctx context.Context, d blob.Digest, offset, length int64) (blob.Info, io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return blob.Info{}, nil, err
	}
	f, err := os.Open(s.path(d))
	if err != nil {
		return blob.Info{}, nil, missing(err, d, "open the blob")
	}
	info, err := describe(f, d)
	if err != nil {
		return blob.Info{}, nil, errors.Join(err, f.Close())
	}
	n, whole, err := blob.Section(info.Size, offset, length)
	if err != nil {
		f.Close()
		return blob.Info{}, nil, err
	}
	var r io.ReadCloser = section{io.NewSectionReader(f, offset, n), f}
	if whole {
		r = blob.Verify(r, d)
	}
	return info, r, nil
}

type section struct {
	io.Reader
	io.Closer
}

// Stat describes a blob.
func (s *Store) Stat(ctx context.Context, d blob.Digest) (blob.Info, error) {
	if err := ctx.Err(); err != nil {
		return blob.Info{}, err
	}
	fi, err := os.Lstat(s.path(d))
	if err != nil {
		return blob.Info{}, missing(err, d, "describe the blob")
	}
	return infoOf(fi, d), nil
}

// Delete removes a blob.
func (s *Store) Delete(ctx context.Context, d blob.Digest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(s.path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return classify(err, "remove the blob")
	}
	return s.syncShard(d[0])
}

func describe(f *os.File, d blob.Digest) (blob.Info, error) {
	fi, err := f.Stat()
	if err != nil {
		return blob.Info{}, classify(err, "describe the blob")
	}
	return infoOf(fi, d), nil
}

// A blob's file is never written again, so the time of its last change is when it was stored.
func infoOf(fi fs.FileInfo, d blob.Digest) blob.Info {
	return blob.Info{Digest: d, Size: fi.Size(), Created: fi.ModTime().UTC()}
}

func missing(err error, d blob.Digest, doing string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return blob.NotFound(d)
	}
	return classify(err, doing)
}
