package s3

import (
	"context"
	"strings"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"calotype/services/storage/internal/blob"
)

// How many uses of a page are asked for at once.
const listing = 32

// List asks for a page of blobs, and then for the use of each.
func (s *Store) List(ctx context.Context, after blob.Digest, limit int) ([]blob.Info, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	var page []blob.Info
	err := s.walk(ctx, blobs, blobs+after.String(), limit, func() { page = page[:0] }, func(key string, o minio.ObjectInfo) bool {
		d, err := blob.Parse(key)
		if err != nil {
			return true // not ours
		}
		page = append(page, blob.Info{Digest: d, Size: o.Size, Created: o.LastModified})
		return len(page) < limit
	})
	if err != nil {
		return nil, s.failed(ctx, err, after, "list the blobs")
	}
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(listing)
	for i := range page {
		g.Go(func() error {
			used, err := s.used(all, page[i].Digest)
			page[i] = infoOf(page[i].Digest, page[i].Size, page[i].Created, used)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, s.failed(ctx, err, after, "list the blobs")
	}
	return page, nil
}

// walk gives the objects below a prefix that follow after, in order, until each returns false. When the listing breaks off it begins anew, and
// calls reset before.
func (s *Store) walk(ctx context.Context, prefix, after string, page int, reset func(), each func(key string, o minio.ObjectInfo) bool) error {
	return s.cluster.do(ctx, "list", func(ctx context.Context, core *minio.Core) error {
		reset()
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		for o := range core.Client.ListObjects(ctx, s.cfg.Bucket, minio.ListObjectsOptions{
			Prefix: prefix, StartAfter: after, MaxKeys: max(1, min(page, 1000)), Recursive: true,
		}) {
			if o.Err != nil {
				return o.Err
			}
			if !each(strings.TrimPrefix(o.Key, prefix), o) {
				return nil
			}
		}
		return nil
	})
}
