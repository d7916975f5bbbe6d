package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// List walks the shards in order. A folder gives its names in no order, so the smallest ones after the page before are picked
// while it is read: a page costs one reading of a shard, and the memory of a page, whatever the shard holds.
func (s *Store) List(ctx context.Context, after blob.Digest, limit int) ([]blob.Info, error) {
	var page []blob.Info
	for shard := int(after[0]); shard < shards && len(page) < limit; shard++ {
		for {
			room := limit - len(page)
			found, err := s.smallest(ctx, byte(shard), after, room)
			if err != nil {
				return nil, err
			}
			s.step("picked")
			for _, d := range found {
				info, err := s.Stat(ctx, d)
				if err != nil && fault.Is(err, fault.NotFound) {
					continue
				}
				if err != nil {
					return nil, err
				}
				page = append(page, info)
			}
			if len(found) < room || len(page) == limit {
				break
			}
			after = found[len(found)-1] // some were deleted in between; there may be more
		}
	}
	return page, nil
}

// smallest gives the first n digests of a shard that follow after, in order.
func (s *Store) smallest(ctx context.Context, shard byte, after blob.Digest, n int) ([]blob.Digest, error) {
	f, err := os.Open(s.shardFolder(shard))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // no blob ever came to this shard
	}
	if err != nil {
		return nil, classify(err, "list the blobs")
	}
	defer f.Close()
	var found []blob.Digest
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			d, bad := blob.Parse(name)
			if bad == nil && d[0] == shard && d.Compare(after) > 0 {
				found = append(found, d)
			}
		}
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return nil, classify(err, "list the blobs")
		}
		if end || len(found) >= 2*n {
			slices.SortFunc(found, blob.Digest.Compare)
			found = found[:min(n, len(found))]
		}
		if end {
			return found, nil
		}
	}
}
