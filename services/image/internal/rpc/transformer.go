package rpc

import (
	"context"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// maxChunk is what one message of a stream carries at most.
const maxChunk = 1 << 20

// Bench is what a node can do for who waits.
type Bench interface {
	Inspect(ctx context.Context, d job.Digest) (job.Picture, error)
	Transform(ctx context.Context, d job.Digest, r recipe.Recipe) ([]worker.Made, error)
	Abilities() job.Abilities
}

// Transformer serves image.v1.Transformer.
type Transformer struct{ bench Bench }

// NewTransformer serves what a node can do.
func NewTransformer(b Bench) *Transformer { return &Transformer{b} }

// Inspect implements imagev1.TransformerHandler.
func (t *Transformer) Inspect(ctx context.Context, req *imagev1.InspectRequest, rsp *imagev1.InspectResponse) error {
	d, err := digest(req.GetDigest())
	if err != nil {
		return err
	}
	p, err := t.bench.Inspect(ctx, d)
	if err != nil {
		return err
	}
	rsp.Format, rsp.ContentType, rsp.Size = p.Format, p.ContentType, p.Size
	rsp.Width, rsp.Height, rsp.Pages = int32(p.Width), int32(p.Height), int32(p.Pages)
	rsp.HasAlpha, rsp.Orientation = p.HasAlpha, int32(p.Orientation)
	return nil
}

// Capabilities implements imagev1.TransformerHandler.
func (t *Transformer) Capabilities(_ context.Context, _ *imagev1.CapabilitiesRequest, rsp *imagev1.CapabilitiesResponse) error {
	a := t.bench.Abilities()
	rsp.EngineVersion, rsp.Library, rsp.Fonts, rsp.Limits, rsp.Isolation = recipe.EngineVersion, a.Library, a.Fonts, a.Limits, a.Isolation
	for _, f := range a.Formats {
		rsp.Formats = append(rsp.Formats, &imagev1.CapabilitiesResponse_Format{
			Name: f.Name, ContentType: f.ContentType, Read: f.Read, Written: f.Written, Animated: f.Animated, Reason: f.Reason,
		})
	}
	for _, o := range recipe.Vocabulary() {
		rsp.Options = append(rsp.Options, &imagev1.CapabilitiesResponse_Words{Option: o.Option, Words: o.Words})
	}
	return nil
}

// Transform implements imagev1.TransformerHandler. The results are complete before the first is sent: an error comes instead of them,
// never between them.
func (t *Transformer) Transform(ctx context.Context, req *imagev1.TransformRequest, stream imagev1.Transformer_TransformStream) error {
	d, err := digest(req.GetDigest())
	if err != nil {
		return err
	}
	r, err := VariantsFromProto("", req.GetVariants())
	if err != nil {
		return err
	}
	made, err := t.bench.Transform(ctx, d, r)
	if err != nil {
		return err
	}
	for _, m := range made {
		if err := send(stream, m); err != nil {
			return err
		}
	}
	return nil
}

func send(stream imagev1.Transformer_TransformStream, m worker.Made) error {
	result := new(imagev1.Result)
	fillResult(result, m.Result)
	if err := stream.Send(&imagev1.TransformResponse{Part: &imagev1.TransformResponse_Result{Result: result}}); err != nil {
		return err
	}
	for at := 0; at < len(m.Data); at += maxChunk {
		part := m.Data[at:min(at+maxChunk, len(m.Data))]
		if err := stream.Send(&imagev1.TransformResponse{Part: &imagev1.TransformResponse_Chunk{Chunk: part}}); err != nil {
			return err
		}
	}
	return nil
}

func digest(text string) (job.Digest, error) {
	d := job.Digest(text)
	if !d.Valid() {
		return "", &fault.Error{Kind: fault.Invalid, Reason: "BAD_DIGEST", Message: "the request is wrong",
			Fields: []fault.Field{{Path: "digest", Message: "is not a sha256 in 64 lower-case hexadecimal digits"}}}
	}
	return d, nil
}
