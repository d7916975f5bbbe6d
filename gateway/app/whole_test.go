package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	imageapp "calotype/services/image/app"
	workerapp "calotype/services/image/worker/app"
)

// photograph is a JPEG with something in it.
func photograph(w, h int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 255 / w), uint8(y * 255 / h), uint8((x ^ y) & 255), 255})
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, m, &jpeg.Options{Quality: 85})
	return b.Bytes()
}

// newWhole is a stage on which nothing is a double.
func newWhole(t *testing.T, change ...func(*setup)) *stage {
	return newStage(t, append(change, func(set *setup) {
		set.images = func(s *stage) {
			cfg := imageapp.DefaultConfig()
			cfg.Config = set.gateway.Config
			cfg.Image.Database, cfg.Queue.Path = filepath.Join(t.TempDir(), "image.db"), filepath.Join(t.TempDir(), "queue.db")
			manager, err := imageapp.New(cfg, s.host)
			s.must(err)
			s.run(manager)
			work := workerapp.DefaultConfig()
			work.Config = set.gateway.Config
			node, err := workerapp.New(work, s.host, workerapp.WithQueue(manager.Queue()))
			s.must(err)
			s.run(node)
		}
	})...)
}

type uploaded struct {
	Image struct {
		ID, Format    string
		Width, Height int
	}
	Job struct{ ID, State string }
}

func TestAPhotographInItsVariantsOut(t *testing.T) {
	s := newWhole(t)
	original := photograph(1200, 800)
	upload := func() (*answer, string) {
		return s.post("/v1/images?preset=web&variants=tiny:w_64,f_png", string(original), "X-Filename", "sunset.jpg", "Idempotency-Key", "once")
	}
	rsp, body := upload()
	var up uploaded
	s.must(json.Unmarshal([]byte(body), &up))
	if rsp.StatusCode != 201 || up.Image.Width != 1200 || up.Image.Height != 800 || up.Image.Format != "jpeg" || up.Job.ID == "" {
		t.Fatalf("uploading: %d %s", rsp.StatusCode, body)
	}
	if _, again := upload(); !strings.Contains(again, up.Image.ID) || !strings.Contains(again, up.Job.ID) {
		t.Errorf("the same upload again gave %s", again)
	}
	rsp, body2 := s.post("/v1/images?preset=web", string(photograph(30, 30)), "Idempotency-Key", "once")
	s.wantProblem(rsp, body2, 422, "IDEMPOTENCY_KEY_REUSED")

	_, stream := s.get("/v1/jobs/" + up.Job.ID + "/events")
	events := parse(t, stream)
	if len(events) < 2 || events[len(events)-1].name != "succeeded" {
		t.Fatalf("the job's events are %s", stream)
	}
	_, body = s.get("/v1/jobs/" + up.Job.ID)
	var job struct {
		Results []struct {
			Name, Format string
			ContentType  string `json:"content_type"`
			Size         string
		}
	}
	s.must(json.Unmarshal([]byte(body), &job))
	if len(job.Results) < 2 {
		t.Fatalf("the job made %s", body)
	}
	for _, r := range job.Results {
		rsp, data := s.get("/v1/images/" + up.Image.ID + "/variants/" + r.Name)
		if rsp.StatusCode != 200 || fmt.Sprint(len(data)) != r.Size || rsp.Header.Get("Content-Type") != r.ContentType {
			t.Errorf("variant %s: %d, %d bytes, %v", r.Name, rsp.StatusCode, len(data), rsp.Header)
		}
	}
	rsp, data := s.get("/v1/images/"+up.Image.ID+"/original", "Range", "bytes=0-1")
	if rsp.StatusCode != 206 || data != "\xff\xd8" || rsp.Header.Get("Content-Disposition") != "inline; filename=sunset.jpg" {
		t.Errorf("the original's first bytes: %d %q %v", rsp.StatusCode, data, rsp.Header)
	}
	s.onTheFly(up.Image.ID)

	if rsp, body := s.do(s.request("DELETE", "/v1/images/"+up.Image.ID, nil)); rsp.StatusCode != 200 {
		t.Errorf("deleting: %d %s", rsp.StatusCode, body)
	}
	rsp, body = s.get("/v1/images/" + up.Image.ID + "/original")
	s.wantProblem(rsp, body, 404, "IMAGE_NOT_FOUND")
}

// onTheFly asks for sizes of an image of 1200 x 800 and looks at them.
func (s *stage) onTheFly(id string) {
	s.t.Helper()
	for options, want := range map[string]image.Point{"w_300,h_200,c_fill": {X: 300, Y: 200}, "w_600": {X: 600, Y: 400}, "w_100,h_100,c_fill/e_blur:5": {X: 100, Y: 100}} {
		path := "/i/" + options + "/" + id + ".png"
		rsp, data := s.get(path)
		if rsp.StatusCode != 200 {
			s.t.Errorf("%s: %d %s", path, rsp.StatusCode, data)
			continue
		}
		cfg, format, err := image.DecodeConfig(strings.NewReader(data))
		if err != nil || format != "png" || cfg.Width != want.X || cfg.Height != want.Y {
			s.t.Errorf("%s is %s of %dx%d, %v", path, format, cfg.Width, cfg.Height, err)
		}
		if rsp, _ := s.get(path, "If-None-Match", rsp.Header.Get("ETag")); rsp.StatusCode != 304 {
			s.t.Errorf("%s again: %d", path, rsp.StatusCode)
		}
	}
	rsp, body := s.get("/i/w_0,c_nonsense/" + id + ".png")
	if d := s.wantProblem(rsp, body, 400, "BAD_OPTIONS"); len(d.Errors) == 0 {
		s.t.Errorf("no violations in %s", body)
	}
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	s := newWhole(t)
	rsp, body := s.post("/v1/images", "this is no picture at all", "Content-Type", "image/jpeg", "X-Filename", "x.jpg")
	s.wantProblem(rsp, body, 415, "UNSUPPORTED_FORMAT")
	whole := photograph(400, 300)
	rsp, body = s.post("/v1/images?preset=nonsense", string(whole))
	if d := s.wantProblem(rsp, body, 400, "UNKNOWN_PRESET"); !slices.ContainsFunc(d.Errors, func(v problemViolation) bool { return strings.Contains(v.Path, "preset") }) {
		t.Errorf("violations %+v", d.Errors)
	}
	if rsp, body := s.post("/v1/images", string(whole)); rsp.StatusCode != 201 {
		t.Errorf("a good one after the bad: %d %s", rsp.StatusCode, body)
	}
}
