package rest

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"calotype/kit/rpc"
	imagev1 "calotype/proto/image/v1"
)

// jobs makes the creation of a job safe to repeat on another node when one dies: a caller who gives no idempotency key gets one.
type jobs struct {
	imagev1.JobsClient
	service imagev1.JobsService
}

func (j jobs) Create(ctx context.Context, in *imagev1.CreateJobRequest, _ ...grpc.CallOption) (*imagev1.Job, error) {
	if err := badQuery(ctx); err != nil {
		return nil, err
	}
	if in.IdempotencyKey == "" {
		in.IdempotencyKey = "gateway-" + uuid.NewString()
	}
	return j.service.Create(ctx, in, rpc.WithIdempotent())
}

// batches does the same for batches.
type batches struct {
	imagev1.BatchesClient
	service imagev1.BatchesService
}

func (b batches) Create(ctx context.Context, in *imagev1.CreateBatchRequest, _ ...grpc.CallOption) (*imagev1.Batch, error) {
	if err := badQuery(ctx); err != nil {
		return nil, err
	}
	if in.IdempotencyKey == "" {
		in.IdempotencyKey = "gateway-" + uuid.NewString()
	}
	return b.service.Create(ctx, in, rpc.WithIdempotent())
}
