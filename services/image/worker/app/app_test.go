package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/worker/app"
)

func TestInspect(t *testing.T) {
	n := start(t)
	p, err := n.calls.Inspect(t.Context(), &imagev1.InspectRequest{Digest: string(n.keep(t, "orientation-6.jpg"))})
	if err != nil || p.GetFormat() != "jpeg" || p.GetContentType() != "image/jpeg" || p.GetWidth() != 120 || p.GetHeight() != 80 ||
		p.GetPages() != 1 || p.GetOrientation() != 6 || p.GetSize() != 1340 {
		t.Errorf("got %v, %v", p, err)
	}
	for name, want := range map[string]struct {
		digest string
		code   codes.Code
		reason string
	}{
		"no digest": {"abc", codes.InvalidArgument, "BAD_DIGEST"},
		"no blob":   {strings.Repeat("0", 64), codes.NotFound, ""},
		"broken":    {string(n.keep(t, "bad/truncated.jpg")), codes.InvalidArgument, "BROKEN_IMAGE"},
		"large":     {string(n.keep(t, "bad/bomb-20000.png")), codes.InvalidArgument, "IMAGE_TOO_LARGE"},
		"no image":  {string(n.keep(t, "bad/script.svg")), codes.InvalidArgument, "UNSUPPORTED_FORMAT"},
	} {
		_, err := n.calls.Inspect(t.Context(), &imagev1.InspectRequest{Digest: want.digest})
		if status.Code(err) != want.code || want.reason != "" && reason(err) != want.reason {
			t.Errorf("%s: got %v (%s)", name, err, reason(err))
		}
	}
}

func TestTransformStreamsEveryVariant(t *testing.T) {
	n := start(t)
	stream, err := n.calls.Transform(t.Context(), &imagev1.TransformRequest{Digest: string(n.keep(t, "photo.jpg")), Variants: []*imagev1.Variant{
		{Name: "small", Operations: []*imagev1.Operation{{Op: &imagev1.Operation_Resize{Resize: &imagev1.Resize{Width: 64}}}}},
		{Name: "large", Operations: []*imagev1.Operation{{Op: &imagev1.Operation_Resize{Resize: &imagev1.Resize{Mode: "fit", Width: 1600}}}},
			Output: &imagev1.Output{Format: "png"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var results []*imagev1.Result
	var data [][]byte
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if r := m.GetResult(); r != nil {
			results, data = append(results, r), append(data, nil)
			continue
		}
		if len(m.GetChunk()) > 1<<20 {
			t.Errorf("a chunk of %d bytes", len(m.GetChunk()))
		}
		data[len(data)-1] = append(data[len(data)-1], m.GetChunk()...)
	}
	if len(results) != 2 {
		t.Fatalf("results %v", results)
	}
	for i, want := range []struct {
		name, format string
		w, h         int32
	}{{"small", "jpeg", 64, 48}, {"large", "png", 1600, 1200}} {
		r, sum := results[i], sha256.Sum256(data[i])
		if r.GetName() != want.name || r.GetFormat() != want.format || r.GetWidth() != want.w || r.GetHeight() != want.h ||
			r.GetSize() != int64(len(data[i])) || r.GetDigest() != hex.EncodeToString(sum[:]) || len(r.GetKey()) != 64 {
			t.Errorf("result %v with %d bytes", r, len(data[i]))
		}
	}
	if len(data[1]) <= 1<<20 {
		t.Errorf("%d bytes fit into one chunk", len(data[1]))
	}
}

func TestTransformSaysWhatIsWrong(t *testing.T) {
	n := start(t)
	d := string(n.keep(t, "p3.png"))
	for name, c := range map[string]struct {
		req    *imagev1.TransformRequest
		reason string
	}{
		"no variants": {&imagev1.TransformRequest{Digest: d}, "BAD_RECIPE"},
		"outside": {&imagev1.TransformRequest{Digest: d, Variants: []*imagev1.Variant{{Name: "a", Operations: []*imagev1.Operation{
			{Op: &imagev1.Operation_Crop{Crop: &imagev1.Crop{Width: 1, Height: 1, Gravity: "xy", X: 100}}}}}}}, "CROP_OUTSIDE_PICTURE"},
	} {
		stream, err := n.calls.Transform(t.Context(), c.req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument || reason(err) != c.reason {
			t.Errorf("%s: got %v (%s)", name, err, reason(err))
		}
	}
}

func TestJobsAreWorkedOff(t *testing.T) {
	n := start(t)
	n.ask(t, "job_good", n.keep(t, "walk.gif"), variant(t, "still", "w_48,f_jpeg"), variant(t, "moving", "w_48,f_webp"))
	reports := n.told(t, "job_good")
	last := reports[len(reports)-1]
	if last.Kind != job.Finished || len(last.Results) != 2 || last.Node == "" {
		t.Fatalf("told %+v", reports)
	}
	for i, pages := range []int{1, 8} {
		r := last.Results[i]
		data, err := n.blobs.Open(t.Context(), r.Digest, r.Size)
		if err != nil || int64(len(data)) != r.Size || r.Pages != pages || r.Width != 48 || r.Height != 32 {
			t.Errorf("result %+v: %d bytes, %v", r, len(data), err)
		}
	}
	if !bytes.Contains([]byte(last.Results[1].ContentType), []byte("webp")) {
		t.Errorf("the second is %s", last.Results[1].ContentType)
	}
}

func TestJobsThatCannotSucceedEnd(t *testing.T) {
	n := start(t)
	n.ask(t, "job_bad", n.keep(t, "bad/truncated.png"), variant(t, "a", "w_48,f_jpeg"))
	n.ask(t, "job_gone", job.Digest(strings.Repeat("0", 64)), variant(t, "a", "w_48,f_jpeg"))
	n.ask(t, "job_large", n.keep(t, "p3.png"), variant(t, "a", "w_8,f_png"), variant(t, "b", "c_fill,w_2,h_16000,g_auto,f_png"))
	for id, want := range map[job.ID]job.Failure{
		"job_bad":   {Reason: "BROKEN_IMAGE"},
		"job_gone":  {Reason: "NOT_FOUND"},
		"job_large": {Reason: "RESULT_TOO_LARGE", Variant: "b"},
	} {
		reports := n.told(t, id)
		last := reports[len(reports)-1]
		if last.Kind != job.GaveUp || last.Failure == nil || last.Failure.Variant != want.Variant || last.Failure.Message == "" ||
			!strings.HasSuffix(last.Failure.Reason, want.Reason) {
			t.Errorf("%s: told %+v, %+v", id, last, last.Failure)
		}
	}
}

func TestTheNodeLeavesInOrder(t *testing.T) {
	n := start(t)
	n.leave()
	if _, err := n.calls.Inspect(t.Context(), &imagev1.InspectRequest{Digest: strings.Repeat("0", 64)}); status.Code(err) != codes.Unavailable {
		t.Errorf("it still answers: %v", err)
	}
}

func TestCapabilities(t *testing.T) {
	c := app.Capabilities()
	if !strings.HasPrefix(c.Version, "8.") || !slices.Contains(c.Load, "heic") || !slices.Contains(c.Save, "avif") {
		t.Errorf("got %+v", c)
	}
}
