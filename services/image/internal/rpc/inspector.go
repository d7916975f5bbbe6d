package rpc

import (
	"context"

	"go-micro.dev/v4/client"

	"calotype/kit/rpc"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
)

// Inspector asks the nodes what a blob is. The same blob goes to the same node while it lasts, which then has it at hand for the work
// that mostly follows.
type Inspector struct{ nodes imagev1.TransformerService }

// NewInspector makes one that calls through c.
func NewInspector(c client.Client) *Inspector {
	return &Inspector{imagev1.NewTransformerService(proto.Worker, c)}
}

// Inspect implements manager.Inspector.
func (i *Inspector) Inspect(ctx context.Context, d job.Digest) (job.Picture, error) {
	p, err := i.nodes.Inspect(ctx, &imagev1.InspectRequest{Digest: string(d)}, rpc.WithKey(string(d)))
	if err != nil {
		return job.Picture{}, err
	}
	return job.Picture{
		Format: p.GetFormat(), ContentType: p.GetContentType(), Width: int(p.GetWidth()), Height: int(p.GetHeight()),
		Pages: int(p.GetPages()), HasAlpha: p.GetHasAlpha(), Orientation: int(p.GetOrientation()), Size: p.GetSize(),
	}, nil
}
