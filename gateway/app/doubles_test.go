package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

var born = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// images is a double of the image service: it keeps what it is told, and answers by hooks where a test sets them.
type images struct {
	mu      sync.Mutex
	byID    map[string]*imagev1.Image
	results map[string]*imagev1.Result // by image id + "/" + name
	created []*imagev1.CreateImageRequest
	ordered []*imagev1.CreateJobRequest
	seen    []context.Context // of every call

	onCreate func(context.Context, *imagev1.CreateImageRequest) error
	onPlan   func(*imagev1.PlanRequest, *imagev1.PlanResponse) error
	onWatch  func(context.Context, *imagev1.WatchJobRequest, func(*imagev1.JobEvent) error) error
}

func newImages() *images {
	return &images{byID: map[string]*imagev1.Image{}, results: map[string]*imagev1.Result{}}
}

func (s *images) saw(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, ctx)
}

// keep registers bytes as an image.
func (s *images) keep(id, filename string, data []byte) *imagev1.Image {
	sum := sha256.Sum256(data)
	img := &imagev1.Image{Id: id, Digest: hex.EncodeToString(sum[:]), Size: int64(len(data)), Format: "jpeg", ContentType: "image/jpeg",
		Width: 640, Height: 480, Pages: 1, Filename: filename, CreateTime: timestamppb.New(born)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[id] = img
	return img
}

func (s *images) Create(ctx context.Context, in *imagev1.CreateImageRequest, out *imagev1.CreateImageResponse) error {
	s.saw(ctx)
	s.mu.Lock()
	s.created = append(s.created, in)
	n := len(s.created)
	s.mu.Unlock()
	if s.onCreate != nil {
		if err := s.onCreate(ctx, in); err != nil {
			return err
		}
	}
	out.Image = &imagev1.Image{Id: fmt.Sprintf("img_%d", n), Digest: in.GetDigest(), Filename: in.GetFilename(), Format: "jpeg", ContentType: "image/jpeg", CreateTime: timestamppb.New(born)}
	if in.GetPreset() != "" || len(in.GetVariants()) > 0 || in.GetRecipe() != nil {
		out.Job = &imagev1.Job{Id: fmt.Sprintf("job_%d", n), ImageId: out.Image.Id, State: imagev1.Job_QUEUED, Preset: in.GetPreset(), Recipe: in.GetRecipe()}
	}
	return nil
}

func (s *images) Get(ctx context.Context, in *imagev1.GetImageRequest, out *imagev1.Image) error {
	s.saw(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	img, ok := s.byID[in.GetId()]
	if !ok {
		return fault.New(fault.NotFound, "", "there is no image %s", in.GetId())
	}
	proto.Merge(out, img)
	return nil
}

func (s *images) List(ctx context.Context, in *imagev1.ListImagesRequest, _ *imagev1.ListImagesResponse) error {
	s.saw(ctx)
	if in.GetPageToken() != "" {
		return fault.New(fault.Invalid, "BAD_PAGE_TOKEN", "no page has this token")
	}
	return nil
}

func (s *images) Delete(ctx context.Context, in *imagev1.DeleteImageRequest, _ *imagev1.DeleteImageResponse) error {
	s.saw(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, in.GetId())
	return nil
}

func (s *images) GetVariant(ctx context.Context, in *imagev1.GetVariantRequest, out *imagev1.Result) error {
	s.saw(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	res, ok := s.results[in.GetImageId()+"/"+in.GetName()]
	if !ok {
		return fault.New(fault.NotFound, "VARIANT_NOT_READY", "the variant %s is still being made", in.GetName())
	}
	proto.Merge(out, res)
	return nil
}

func (s *images) Plan(ctx context.Context, in *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
	s.saw(ctx)
	if s.onPlan != nil {
		return s.onPlan(in, out)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	img, ok := s.byID[in.GetImageId()]
	if !ok {
		return fault.New(fault.NotFound, "", "there is no image %s", in.GetImageId())
	}
	out.Image, out.Key = img, "key-"+in.GetOptions()+"-"+in.GetExtension()
	out.Variant = &imagev1.Variant{Name: "fly", Output: &imagev1.Output{Format: "webp"}}
	return nil
}

func (s *images) ListPresets(ctx context.Context, _ *imagev1.ListPresetsRequest, out *imagev1.ListPresetsResponse) error {
	s.saw(ctx)
	out.Presets = []*imagev1.Preset{{Name: "web", Description: "For pages.", Recipe: &imagev1.Recipe{Variants: []*imagev1.Variant{{Name: "small"}}}}}
	return nil
}

// jobs is the other half of the double: the two services share method names.
type jobs struct{ *images }

func (s jobs) Create(ctx context.Context, in *imagev1.CreateJobRequest, out *imagev1.Job) error {
	s.saw(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ordered = append(s.ordered, in)
	if in.GetPreset() == "nonsense" {
		f := fault.New(fault.Invalid, "UNKNOWN_PRESET", "there is no such preset")
		f.Fields = []fault.Field{{Path: "preset", Message: `"nonsense" is not one of card, hero, thumb, web`}}
		return f
	}
	out.Id, out.ImageId, out.State = "job_1", in.GetImageId(), imagev1.Job_QUEUED
	return nil
}

func (s jobs) Get(ctx context.Context, in *imagev1.GetJobRequest, out *imagev1.Job) error {
	s.saw(ctx)
	out.Id, out.State = in.GetId(), imagev1.Job_SUCCEEDED
	return nil
}

func (s jobs) List(ctx context.Context, _ *imagev1.ListJobsRequest, _ *imagev1.ListJobsResponse) error {
	s.saw(ctx)
	return nil
}

func (s jobs) Cancel(ctx context.Context, in *imagev1.CancelJobRequest, out *imagev1.Job) error {
	s.saw(ctx)
	if in.GetId() == "job_ended" {
		return fault.New(fault.Conflict, "JOB_ENDED", "the job has ended already")
	}
	out.Id, out.State = in.GetId(), imagev1.Job_CANCELLED
	return nil
}

func (s jobs) Retry(ctx context.Context, in *imagev1.RetryJobRequest, out *imagev1.Job) error {
	s.saw(ctx)
	out.Id, out.State = in.GetId(), imagev1.Job_QUEUED
	return nil
}

func (s jobs) Redrive(ctx context.Context, in *imagev1.RedriveJobsRequest, out *imagev1.RedriveJobsResponse) error {
	s.saw(ctx)
	out.Redriven = in.GetLimit()
	return nil
}

func (s jobs) Watch(ctx context.Context, in *imagev1.WatchJobRequest, stream imagev1.Jobs_WatchStream) error {
	s.saw(ctx)
	if s.onWatch == nil {
		return fault.New(fault.NotFound, "", "there is no job %s", in.GetId())
	}
	return s.onWatch(stream.Context(), in, stream.Send)
}

// worker is a double of a processing node.
type worker struct {
	imagev1.TransformerHandler
	mu    sync.Mutex
	calls int
	on    func(context.Context, *imagev1.TransformRequest, imagev1.Transformer_TransformStream) error
}

func (w *worker) Inspect(context.Context, *imagev1.InspectRequest, *imagev1.InspectResponse) error {
	return fault.New(fault.Internal, "", "the gateway inspects nothing")
}

func (w *worker) Capabilities(_ context.Context, _ *imagev1.CapabilitiesRequest, rsp *imagev1.CapabilitiesResponse) error {
	rsp.EngineVersion, rsp.Limits = "7", map[string]int64{"pixels": 64e6}
	rsp.Formats = []*imagev1.CapabilitiesResponse_Format{{Name: "svg", Reason: "not allowed"}}
	return nil
}

func (w *worker) Transform(ctx context.Context, in *imagev1.TransformRequest, stream imagev1.Transformer_TransformStream) error {
	w.mu.Lock()
	w.calls++
	w.mu.Unlock()
	return w.on(stream.Context(), in, stream)
}

func (w *worker) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// gives makes the worker answer with a picture.
func (w *worker) gives(data []byte) {
	w.on = func(_ context.Context, _ *imagev1.TransformRequest, stream imagev1.Transformer_TransformStream) error {
		head := &imagev1.Result{Name: "fly", Size: int64(len(data)), Format: "webp", ContentType: "image/webp", Width: 32, Height: 24}
		if err := stream.Send(&imagev1.TransformResponse{Part: &imagev1.TransformResponse_Result{Result: head}}); err != nil {
			return err
		}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1000)
			if err := stream.Send(&imagev1.TransformResponse{Part: &imagev1.TransformResponse_Chunk{Chunk: rest[:n]}}); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	}
}
