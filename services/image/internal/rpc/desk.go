package rpc

import (
	"context"
	"errors"
	"io"

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
	if unknown(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	state, ok := stateFromProto(j.GetState())
	return ok && state.Ended(), nil
}

// Watch implements worker.Desk. The stream's own end says that the job has ended: its events tell of earlier runs too.
func (d *Desk) Watch(ctx context.Context, id job.ID) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.jobs.Watch(ctx, &imagev1.WatchJobRequest{Id: string(id)})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) || unknown(err) {
		return nil
	}
	return err
}

func unknown(err error) bool {
	f := fault.As(err)
	return f != nil && f.Reason == "JOB_NOT_FOUND"
}
