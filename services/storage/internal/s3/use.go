package s3

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// used gives the time of the last use; zero where none is noted, as after a crash between two steps: the blob's own time stands for it then.
func (s *Store) used(ctx context.Context, d blob.Digest) (time.Time, error) {
	object, err := s.head(ctx, uses+d.String())
	if isMissing(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	used, err := time.Parse(time.RFC3339Nano, object.UserMetadata[usedKey])
	if err != nil {
		return time.Time{}, fmt.Errorf("the time of use of blob %s: %w", d, err)
	}
	return used, nil
}

func (s *Store) noteUse(ctx context.Context, d blob.Digest, at time.Time) error {
	return s.cluster.do(ctx, "put use", func(ctx context.Context, core *minio.Core) error {
		_, err := core.PutObject(ctx, s.cfg.Bucket, uses+d.String(), bytes.NewReader(nil), 0, "", emptySum, minio.PutObjectOptions{
			UserMetadata: map[string]string{usedKey: at.UTC().Format(time.RFC3339Nano)}, DisableContentSha256: true,
		})
		return err
	})
}

// Touch notes that a blob is used now.
func (s *Store) Touch(ctx context.Context, d blob.Digest) (blob.Info, error) {
	if err := s.enter(ctx); err != nil {
		return blob.Info{}, err
	}
	done, err := s.order.take(ctx, d)
	if err != nil {
		return blob.Info{}, err
	}
	defer done()
	return s.renew(ctx, d)
}

// renew is Touch for who has the turn.
func (s *Store) renew(ctx context.Context, d blob.Digest) (blob.Info, error) {
	info, err := s.describe(ctx, d)
	if err != nil {
		return blob.Info{}, err
	}
	now := time.Now().UTC()
	if !now.After(info.Used) {
		return info, nil
	}
	if err := s.noteUse(ctx, d, now); err != nil {
		return blob.Info{}, s.failed(ctx, err, d, "note that the blob is used")
	}
	info.Used = now
	return info, nil
}

// Delete removes a blob, and then what tells of its use: that alone says nothing.
func (s *Store) Delete(ctx context.Context, d blob.Digest, unusedSince time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	done, err := s.order.take(ctx, d)
	if err != nil {
		return err
	}
	defer done()
	if !unusedSince.IsZero() {
		info, err := s.describe(ctx, d)
		if err != nil && fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.Used.Before(unusedSince) {
			return blob.InUse(d, info.Used)
		}
	}
	for _, key := range []string{blobs + d.String(), uses + d.String()} {
		if err := s.remove(ctx, key); err != nil {
			return s.failed(ctx, err, d, "remove the blob")
		}
	}
	return nil
}

func (s *Store) remove(ctx context.Context, key string) error {
	err := s.cluster.do(ctx, "delete", func(ctx context.Context, core *minio.Core) error {
		return core.RemoveObject(ctx, s.cfg.Bucket, key, minio.RemoveObjectOptions{})
	})
	if isMissing(err) {
		return nil
	}
	return err
}
