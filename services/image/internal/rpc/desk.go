package rpc

import (
	"context"

	"go-micro.dev/v4/client"

	"calotype/kit/fault"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
)

// Desk asks the managers what became of a job.
type Desk struct{ jobs imagev1.JobsService }

// NewDesk makes one that calls through c.
func NewDesk(c client.Client) *Desk { return &Desk{imagev1.NewJobsService(proto.Image, c)} }

// Ended implements worker.Desk.
func (d *Desk) Ended(ctx context.Context, id job.ID) (bool, error) {
	j, err := d.jobs.Get(ctx, &imagev1.GetJobRequest{Id: string(id)})
	if f := fault.As(err); f != nil && f.Reason == "JOB_NOT_FOUND" {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	state, ok := stateFromProto(j.GetState())
	return ok && state.Ended(), nil
}
