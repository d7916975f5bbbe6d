package rpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// Batches answers for image.v1's Batches.
type Batches struct {
	uses *manager.Batches
	// Draining is closed when the node leaves: who watches then does so elsewhere. Nil never is.
	Draining <-chan struct{}
}

var _ imagev1.BatchesHandler = (*Batches)(nil)

// NewBatches makes a handler over the use cases.
func NewBatches(uses *manager.Batches) *Batches { return &Batches{uses: uses} }

// Create implements imagev1.BatchesHandler.
func (h *Batches) Create(ctx context.Context, in *imagev1.CreateBatchRequest, out *imagev1.Batch) error {
	work, err := workFromProto(in.GetPreset(), in.GetRecipe(), in.GetVariants())
	if err != nil {
		return err
	}
	wishes, err := wishesFromProto(in.GetOptions())
	if err != nil {
		return err
	}
	images := make([]job.ImageID, len(in.GetImageIds()))
	for i, id := range in.GetImageIds() {
		images[i] = job.ImageID(id)
	}
	b, err := h.uses.Create(ctx, manager.CreateBatch{Images: images, Key: in.GetIdempotencyKey(), Work: work, Wishes: wishes})
	return answerBatch(out, b, err)
}

// Get implements imagev1.BatchesHandler.
func (h *Batches) Get(ctx context.Context, in *imagev1.GetBatchRequest, out *imagev1.Batch) error {
	b, err := h.uses.Get(ctx, job.BatchID(in.GetId()))
	return answerBatch(out, b, err)
}

// Cancel implements imagev1.BatchesHandler.
func (h *Batches) Cancel(ctx context.Context, in *imagev1.CancelBatchRequest, out *imagev1.Batch) error {
	b, err := h.uses.Cancel(ctx, job.BatchID(in.GetId()))
	return answerBatch(out, b, err)
}

// Watch implements imagev1.BatchesHandler.
func (h *Batches) Watch(ctx context.Context, in *imagev1.WatchBatchRequest, stream imagev1.Batches_WatchStream) error {
	return whileServing(ctx, h.Draining, func(ctx context.Context) error {
		return h.uses.Watch(ctx, job.BatchID(in.GetId()), func(b job.Batch) error {
			out := new(imagev1.Batch)
			fillBatch(out, b)
			return stream.Send(out)
		})
	})
}

func answerBatch(out *imagev1.Batch, b job.Batch, err error) error {
	if err == nil {
		fillBatch(out, b)
	}
	return err
}

func fillBatch(p *imagev1.Batch, b job.Batch) {
	p.Id, p.Total, p.Percent, p.Done = string(b.ID), int32(b.Total), int32(b.Percent), b.Ended()
	p.CreateTime, p.UpdateTime = timestamppb.New(b.Created), timestamppb.New(b.Updated)
	for _, s := range job.States() {
		if n := b.Counts[s]; n > 0 {
			p.Counts = append(p.Counts, &imagev1.Batch_StateCount{State: states[s], Count: int32(n)})
		}
	}
}
