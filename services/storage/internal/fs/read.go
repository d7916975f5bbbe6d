package fs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"calotype/services/storage/internal/blob"
)

// Open reads a blob or a part of it. A blob that is deleted or replaced meanwhile is read to its end all the same.
func (s *Store) Open(ctx context.Context, d blob.Digest, part blob.Part) (blob.Info, io.ReadCloser, error) {
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
	n, verify, err := part.Of(info.Size)
	if err != nil {
		f.Close()
		return blob.Info{}, nil, err
	}
	var r io.ReadCloser = section{io.NewSectionReader(f, part.Offset, n), f}
	if verify {
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
	return s.stat(d)
}

func (s *Store) stat(d blob.Digest) (blob.Info, error) {
	a, err := look(s.path(d))
	if err != nil {
		return blob.Info{}, missing(err, d, "describe the blob")
	}
	return infoOf(a, d), nil
}

func describe(f *os.File, d blob.Digest) (blob.Info, error) {
	a, err := lookInto(f)
	if err != nil {
		return blob.Info{}, classify(err, "describe the blob")
	}
	return infoOf(a, d), nil
}

// attributes are what the file system knows of a file.
type attributes struct {
	size           int64
	born, modified time.Time // born is zero where the file system does not know it
}

// A blob's file is never written again, so that the time of its last change is free to say when it was used last.
func infoOf(a attributes, d blob.Digest) blob.Info {
	info := blob.Info{Digest: d, Size: a.size, Created: a.born.UTC(), Used: a.modified.UTC()}
	if a.born.IsZero() || a.born.After(a.modified) { // a copy of the folder, with its files' times
		info.Created = info.Used
	}
	return info
}

func missing(err error, d blob.Digest, doing string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return blob.NotFound(d)
	}
	return classify(err, doing)
}
