package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"calotype/services/storage/internal/blob"
)

// Open reads a blob or a part of it.
func (s *Store) Open(ctx context.Context, d blob.Digest, part blob.Part) (blob.Info, io.ReadCloser, error) {
	if err := s.enter(ctx); err != nil {
		return blob.Info{}, nil, err
	}
	if part.Offset < 0 || part.Length < 0 {
		_, _, err := part.Of(0)
		return blob.Info{}, nil, err
	}
	r := &reader{store: s, ctx: ctx, digest: d, at: part.Offset}
	var used time.Time
	var g errgroup.Group // the body outlives the group, so that no context ends with it
	g.Go(func() (err error) {
		used, err = s.used(ctx, d)
		return err
	})
	size, opened := r.open(part.Length)
	err := g.Wait()
	if isOutside(opened) { // or at the very end, where there is nothing to give
		r.close()
		return s.openNothing(ctx, d, part)
	}
	if opened != nil {
		err = opened
	}
	if err != nil {
		r.close()
		return blob.Info{}, nil, s.failed(ctx, err, d, "open the blob")
	}
	info := infoOf(d, size, r.modified, used)
	n, verify, err := part.Of(size)
	if err != nil {
		r.close()
		return blob.Info{}, nil, err
	}
	r.end = part.Offset + n
	if verify {
		return info, blob.Verify(r, d), nil
	}
	return info, r, nil
}

func isOutside(err error) bool {
	var said minio.ErrorResponse
	return errors.As(err, &said) && said.StatusCode == http.StatusRequestedRangeNotSatisfiable
}

func (s *Store) openNothing(ctx context.Context, d blob.Digest, part blob.Part) (blob.Info, io.ReadCloser, error) {
	info, err := s.describe(ctx, d)
	if err != nil {
		return blob.Info{}, nil, err
	}
	n, verify, err := part.Of(info.Size)
	if err == nil && n > 0 {
		err = busy(fmt.Errorf("blob %s has %d bytes, and none from %d", d, info.Size, part.Offset), 0) // it has changed in between
	}
	if err != nil {
		return blob.Info{}, nil, err
	}
	r := io.NopCloser(strings.NewReader(""))
	if verify {
		r = blob.Verify(r, d)
	}
	return info, r, nil
}

// reader reads a section of a blob. When an endpoint dies it goes on at another one where it was.
type reader struct {
	store  *Store
	ctx    context.Context // of the one who reads
	digest blob.Digest

	at, end  int64
	etag     string
	modified time.Time
	body     io.ReadCloser
	attempt  *attempt
	failures int // since a byte came
}

// open asks for the bytes from where the reader is, length of them or all, and gives the size of the whole blob.
func (r *reader) open(length int64) (size int64, err error) {
	opts := minio.GetObjectOptions{}
	if r.at > 0 || length > 0 {
		last := int64(0) // to the end; where at is 0, length is given
		if length > 0 && length <= 1<<62-r.at {
			last = r.at + length - 1
		}
		if err := opts.SetRange(r.at, last); err != nil {
			return 0, err
		}
	}
	r.attempt, err = r.store.cluster.keep(r.ctx, "get", r.store.cfg.Timeout, func(ctx context.Context, core *minio.Core) error {
		body, object, header, err := core.GetObject(ctx, r.store.cfg.Bucket, blobs+r.digest.String(), opts)
		if err != nil {
			return err
		}
		if size, err = sizeOf(object, header); err != nil {
			body.Close()
			return err
		}
		if r.etag != "" && r.etag != object.ETag {
			body.Close()
			return blob.Corrupt(r.digest) // it is not the one that was begun
		}
		r.body, r.etag, r.modified = body, object.ETag, object.LastModified
		return nil
	})
	return size, err
}

func sizeOf(object minio.ObjectInfo, header http.Header) (int64, error) {
	if given := header.Get("Content-Range"); given != "" {
		_, total, _ := strings.Cut(given, "/")
		return strconv.ParseInt(total, 10, 64)
	}
	if object.Size < 0 {
		return 0, errors.New("the object store does not tell the size of an object")
	}
	return object.Size, nil
}

func (r *reader) Read(p []byte) (int, error) {
	if r.at == r.end {
		return 0, io.EOF
	}
	if r.body == nil {
		if _, err := r.open(r.end - r.at); err != nil {
			return 0, r.store.failed(r.ctx, err, r.digest, "go on reading the blob")
		}
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.at)])
	if r.at += int64(n); n > 0 {
		r.failures = 0
	}
	if r.at == r.end {
		return n, io.EOF
	}
	if err == nil {
		return n, nil
	}
	if r.ctx.Err() != nil {
		return n, r.ctx.Err()
	}
	if _, broke := r.attempt.failure(); broke != nil {
		err = broke
	}
	r.close()
	if r.failures++; r.failures >= tries {
		return n, busy(err, 0)
	}
	return n, nil
}

func (r *reader) close() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
	if r.attempt != nil {
		r.attempt.end()
		r.attempt = nil
	}
}

func (r *reader) Close() error {
	r.close()
	return nil
}
