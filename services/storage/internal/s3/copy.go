package s3

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"calotype/services/storage/internal/blob"
)

// S3 copies no more than this at once; what is larger is copied in parts of at most that size.
const (
	maxCopy  = 5 << 30
	copyPart = 1 << 30
)

// copied is a blob that stands under a temporary name. S3 knows no renaming.
type copied struct {
	store *Store
	from  string
	d     blob.Digest
	size  int64
}

func (c *copied) name(ctx context.Context, _ bool) error {
	if c.size > maxCopy {
		return c.inParts(ctx, copyPart)
	}
	bucket := c.store.cfg.Bucket
	return c.store.cluster.doWork(ctx, "copy", c.size, func(ctx context.Context, core *minio.Core) error {
		done, err := core.CopyObject(ctx, bucket, c.from, bucket, blobs+c.d.String(), nil, minio.CopySrcOptions{}, minio.PutObjectOptions{})
		if err == nil && done.ETag == "" { // an error can come in a body after the status 200
			err = minio.ErrorResponse{Code: "InternalError", Message: "the answer to a copy tells of none"}
		}
		return err
	})
}

func (c *copied) inParts(ctx context.Context, part int64) (err error) {
	m, err := c.store.begin(ctx, blobs+c.d.String())
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanWithin)
			defer cancel()
			if bad := m.discard(clean); bad != nil {
				c.store.log.WarnContext(ctx, "the remains of a copy are left until they are swept", "key", m.key, "error", bad)
			}
		}
	}()
	bucket := c.store.cfg.Bucket
	_ = m.sent() // it has none of its own to send
	m.size = c.size
	m.parts = make([]minio.CompletePart, (c.size+part-1)/part)
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(c.store.cfg.Concurrency)
	for i := range m.parts {
		from := int64(i) * part
		g.Go(func() error {
			return c.store.cluster.doWork(all, "copy part", part, func(ctx context.Context, core *minio.Core) (err error) {
				m.parts[i], err = core.CopyObjectPart(ctx, bucket, c.from, bucket, m.key, m.id, i+1, from, min(part, c.size-from), nil)
				if err == nil && m.parts[i].ETag == "" {
					err = fmt.Errorf("part %d of a copy came without an ETag", i+1)
				}
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return m.name(ctx, false)
}
