package blobclient

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/rpc"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/image/internal/job"
)

// Touch implements manager.Blobs.
func (s *Store) Touch(ctx context.Context, d job.Digest) error {
	_, err := s.storage.Touch(ctx, &storagev1.TouchRequest{Digest: string(d)}, rpc.WithKey(string(d)))
	return err
}

// Unused implements manager.Blobs.
func (s *Store) Unused(ctx context.Context, since time.Time, token string, limit int) ([]job.Digest, string, error) {
	in := &storagev1.ListRequest{PageSize: int32(limit), PageToken: token, UnusedSince: timestamppb.New(since)}
	page, err := s.storage.List(ctx, in)
	if err != nil {
		return nil, "", err
	}
	found := make([]job.Digest, len(page.GetBlobs()))
	for i, b := range page.GetBlobs() {
		found[i] = job.Digest(b.GetDigest())
	}
	return found, page.GetNextPageToken(), nil
}

// Delete implements manager.Blobs. There is always a condition: the zero time spares everything.
func (s *Store) Delete(ctx context.Context, d job.Digest, unusedSince time.Time) error {
	_, err := s.storage.Delete(ctx, &storagev1.DeleteRequest{Digest: string(d), UnusedSince: timestamppb.New(unusedSince)}, rpc.WithKey(string(d)))
	return err
}
