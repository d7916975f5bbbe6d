package manager

import (
	"context"

	"github.com/opentracing/opentracing-go"

	"calotype/kit/fault"
	"calotype/kit/tracing"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// mail writes tasks for the queue, with the trace and the request id of whoever asked.
type mail struct {
	tracer  opentracing.Tracer
	recipes *recipe.Writer
}

func (m mail) task(ctx context.Context, j job.Job) ([]job.Outgoing, error) {
	t := job.NewTask(j)
	body, err := t.Message(m.recipes)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the task of job %s cannot be written", j.ID)
	}
	return []job.Outgoing{{Topic: job.Tasks, Tenant: j.Tenant, Message: job.Message{Class: j.Class, ID: t.MessageID(), Headers: tracing.Inject(ctx, m.tracer), Body: body}}}, nil
}
