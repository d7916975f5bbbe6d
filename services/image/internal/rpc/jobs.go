package rpc

import (
	"context"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// Jobs answers for image.v1's Jobs.
type Jobs struct {
	uses *manager.Jobs
	// Draining is closed when the node leaves: who watches then does so elsewhere. Nil never is.
	Draining <-chan struct{}
}

var _ imagev1.JobsHandler = (*Jobs)(nil)

// NewJobs makes a handler over the use cases.
func NewJobs(uses *manager.Jobs) *Jobs { return &Jobs{uses: uses} }

// Create implements imagev1.JobsHandler.
func (h *Jobs) Create(ctx context.Context, in *imagev1.CreateJobRequest, out *imagev1.Job) error {
	work, err := workFromProto(in.GetPreset(), in.GetRecipe(), in.GetVariants())
	if err != nil {
		return err
	}
	wishes, err := wishesFromProto(in.GetOptions())
	if err != nil {
		return err
	}
	j, err := h.uses.Create(ctx, manager.CreateJob{Image: job.ImageID(in.GetImageId()), Key: in.GetIdempotencyKey(), Work: work, Wishes: wishes})
	return answer(out, j, err)
}

// Get implements imagev1.JobsHandler.
func (h *Jobs) Get(ctx context.Context, in *imagev1.GetJobRequest, out *imagev1.Job) error {
	j, err := h.uses.Get(ctx, job.ID(in.GetId()))
	return answer(out, j, err)
}

// List implements imagev1.JobsHandler.
func (h *Jobs) List(ctx context.Context, in *imagev1.ListJobsRequest, out *imagev1.ListJobsResponse) error {
	f, err := filterFromProto(in)
	if err != nil {
		return err
	}
	found, next, err := h.uses.List(ctx, f, int(in.GetPageSize()), in.GetPageToken())
	if err != nil {
		return err
	}
	for _, j := range found {
		one := new(imagev1.Job)
		fillJob(one, j)
		out.Jobs = append(out.Jobs, one)
	}
	out.NextPageToken = next
	return nil
}

// Cancel implements imagev1.JobsHandler.
func (h *Jobs) Cancel(ctx context.Context, in *imagev1.CancelJobRequest, out *imagev1.Job) error {
	j, err := h.uses.Cancel(ctx, job.ID(in.GetId()))
	return answer(out, j, err)
}

// Retry implements imagev1.JobsHandler.
func (h *Jobs) Retry(ctx context.Context, in *imagev1.RetryJobRequest, out *imagev1.Job) error {
	j, err := h.uses.Retry(ctx, job.ID(in.GetId()))
	return answer(out, j, err)
}

// Watch implements imagev1.JobsHandler.
func (h *Jobs) Watch(ctx context.Context, in *imagev1.WatchJobRequest, stream imagev1.Jobs_WatchStream) error {
	return whileServing(ctx, h.Draining, func(ctx context.Context) error {
		return h.uses.Watch(ctx, job.ID(in.GetId()), in.GetAfterSequence(), func(e job.Event) error {
			return stream.Send(eventToProto(e))
		})
	})
}

// whileServing runs a watch until the node leaves: who watches then does so elsewhere.
func whileServing(ctx context.Context, draining <-chan struct{}, watch func(context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-draining:
			end(fault.New(fault.Unavailable, "DRAINING", "the node is leaving; watch on after the last event seen"))
		case <-ctx.Done():
		}
	}()
	err := watch(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// filter is what List and Redrive choose jobs by.
type filter interface {
	GetImageId() string
	GetBatchId() string
	GetTenant() string
	GetReason() string
	GetState() imagev1.Job_State
}

func filterFromProto(in filter) (job.Filter, error) {
	f := job.Filter{Image: job.ImageID(in.GetImageId()), Batch: job.BatchID(in.GetBatchId()), Tenant: in.GetTenant(), Reason: in.GetReason()}
	if in.GetState() == imagev1.Job_STATE_UNSPECIFIED {
		return f, nil
	}
	state, ok := stateFromProto(in.GetState())
	if !ok {
		e := fault.New(fault.Invalid, "BAD_STATE", "the request is wrong")
		e.Fields = []fault.Field{{Path: "state", Message: "is no state of a job"}}
		return f, e
	}
	f.States = []job.State{state}
	return f, nil
}

// Redrive implements imagev1.JobsHandler.
func (h *Jobs) Redrive(ctx context.Context, in *imagev1.RedriveJobsRequest, out *imagev1.RedriveJobsResponse) error {
	f, err := filterFromProto(in)
	if err != nil {
		return err
	}
	n, remaining, err := h.uses.Redrive(ctx, f, int(in.GetLimit()))
	out.Redriven, out.Remaining = int32(n), remaining
	return err
}

func answer(out *imagev1.Job, j job.Job, err error) error {
	if err != nil {
		return err
	}
	fillJob(out, j)
	return nil
}
