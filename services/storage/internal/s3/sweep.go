package s3

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
)

// Every node sweeps now and then, none at the same time as the others but by chance, which does no harm.
const sweepEvery = time.Hour

func (s *Store) sweepOften(ctx context.Context) {
	for {
		select {
		case <-time.After(sweepEvery/2 + rand.N(sweepEvery)):
		case <-ctx.Done():
			return
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "could not sweep the remains of uploads; it is tried again", "error", err)
		}
	}
}

// Sweep removes what uploads and deletions that never ended have left, once it is older than StaleAfter: parts that were never joined,
// temporary objects, uses of blobs that are not there.
func (s *Store) Sweep(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	return errors.Join(s.sweepParts(ctx), s.sweepTemporaries(ctx), s.sweepUses(ctx))
}

func (s *Store) sweepParts(ctx context.Context) error {
	var stale []minio.ObjectMultipartInfo
	err := s.cluster.do(ctx, "list parts", func(ctx context.Context, core *minio.Core) error {
		stale = nil
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		for u := range core.ListIncompleteUploads(ctx, s.cfg.Bucket, "", true) {
			if u.Err != nil {
				return u.Err
			}
			if s.old(u.Initiated) {
				stale = append(stale, u)
			}
		}
		return nil
	})
	for _, u := range stale {
		err = errors.Join(err, s.count("parts", s.abort(ctx, u.Key, u.UploadID)))
	}
	return err
}

func (s *Store) sweepTemporaries(ctx context.Context) error {
	var stale []string
	err := s.walk(ctx, temporary, "", 1000, func() { stale = nil }, func(key string, o minio.ObjectInfo) bool {
		if s.old(o.LastModified) {
			stale = append(stale, temporary+key)
		}
		return true
	})
	for _, key := range stale {
		err = errors.Join(err, s.count("temporary", s.remove(ctx, key)))
	}
	return err
}

// sweepUses goes through the uses by pages, and looks for the blob of each that is old. Most have one: a page of blobs tells.
func (s *Store) sweepUses(ctx context.Context) error {
	for after := ""; ; {
		var page, there []string
		err := s.walk(ctx, uses, uses+after, 1000, func() { page = nil }, func(key string, o minio.ObjectInfo) bool {
			after = key
			if s.old(o.LastModified) {
				page = append(page, key)
			}
			return len(page) < 1000
		})
		if err != nil || len(page) == 0 {
			return err
		}
		before, last := page[0][:len(page[0])-1], page[len(page)-1] // a part of a key comes before the key
		err = s.walk(ctx, blobs, blobs+before, 1000, func() { there = nil }, func(key string, _ minio.ObjectInfo) bool {
			if key >= page[0] && key <= last {
				there = append(there, key)
			}
			return key < last
		})
		for _, key := range page {
			if _, is := slices.BinarySearch(there, key); !is && err == nil {
				err = s.count("uses", s.remove(ctx, uses+key))
			}
		}
		if err != nil || len(page) < 1000 {
			return err
		}
	}
}

// old reports whether something is old enough to be rubbish when nothing refers to it.
func (s *Store) old(at time.Time) bool { return time.Since(at) > s.cfg.StaleAfter }

func (s *Store) count(kind string, err error) error {
	if err == nil {
		s.metrics.swept.WithLabelValues(kind).Inc()
	}
	return err
}
