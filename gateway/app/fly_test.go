package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"calotype/gateway/internal/onthefly"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

func TestOnTheFly(t *testing.T) {
	s := newStage(t)
	img := s.images.keep("img_f", "", []byte("x"))
	picture := noise(10_500)
	s.worker.gives(picture)
	var asked *imagev1.PlanRequest
	s.images.onPlan = func(in *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
		asked = in
		out.Image, out.Key, out.VaryAccept = img, "key-1", strings.Contains(in.GetOptions(), "f_auto")
		out.Variant = &imagev1.Variant{Name: "fly"}
		return nil
	}
	for path, want := range map[string]*imagev1.PlanRequest{
		"/i/w_512,h_512,c_fill/e_blur/img_f.webp": {ImageId: "img_f", Options: "w_512,h_512,c_fill/e_blur", Extension: "webp"},
		"/i/img_f.png":        {ImageId: "img_f", Extension: "png"},
		"/i/w_10%2Ch_5/img_f": {ImageId: "img_f", Options: "w_10,h_5"},
	} {
		rsp, body := s.get(path, "Accept", "image/avif,*/*")
		if rsp.StatusCode != 200 || body != string(picture) || rsp.ContentLength != int64(len(picture)) {
			t.Errorf("%s: %d, %d bytes", path, rsp.StatusCode, len(body))
		}
		if asked.GetImageId() != want.ImageId || asked.GetOptions() != want.Options || asked.GetExtension() != want.Extension || asked.GetAccept() != "image/avif,*/*" {
			t.Errorf("%s was planned as %v", path, asked)
		}
		if h := rsp.Header; h.Get("ETag") != `"key-1"` || h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Vary") != "" ||
			h.Get("Content-Type") != "image/webp" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Disposition") != "inline; filename=img_f.webp" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	rsp, _ := s.get("/i/f_auto/img_f.jpg", "Accept", "\xffimage/webp")
	if rsp.StatusCode != 200 || asked.GetAccept() != "image/webp" {
		t.Errorf("an Accept that is no UTF-8: %d, planned with %q", rsp.StatusCode, asked.GetAccept())
	}
	if rsp.Header.Get("Vary") != "Accept" {
		t.Errorf("Accept had a say, and Vary is %q", rsp.Header.Get("Vary"))
	}

	s.images.onPlan = func(in *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
		asked = in
		out.Image, out.Key, out.VaryAccept, out.VaryHints, out.VaryWidth = img, "key-1", true, true, strings.Contains(in.GetOptions(), "w_auto")
		out.Variant = &imagev1.Variant{Name: "fly"}
		return nil
	}
	rsp, _ = s.get("/i/w_auto,f_auto/img_f", "Sec-CH-Width", "600", "DPR", "2.0")
	if h := asked.GetHints(); h.GetWidth() != 600 || h.GetDpr() != 2 || h.GetViewportWidth() != 0 {
		t.Errorf("planned with %v", h)
	}
	if h := rsp.Header; h.Get("Vary") != "Accept, Sec-CH-DPR, DPR, Sec-CH-Width, Width, Sec-CH-Viewport-Width, Viewport-Width" ||
		h.Get("Accept-CH") != "Sec-CH-DPR, Sec-CH-Width, Sec-CH-Viewport-Width" || h.Get("Critical-CH") != "" {
		t.Errorf("by hints: %v", h)
	}
	if rsp, _ = s.get("/i/w_5,dpr_auto/img_f"); rsp.Header.Get("Vary") != "Accept, Sec-CH-DPR, DPR" || asked.GetHints() != nil {
		t.Errorf("by the device's pixels: %v, %v", rsp.Header, asked.GetHints())
	}

	before := s.worker.count()
	rsp, body := s.get("/i/w_1/img_f.webp", "If-None-Match", `W/"key-1"`)
	if rsp.StatusCode != 304 || body != "" || s.worker.count() != before || rsp.Header.Get("Cache-Control") == "" {
		t.Errorf("a known result: %d, and the worker was asked %d times", rsp.StatusCode, s.worker.count()-before)
	}
	if rsp, body = s.do(s.request("HEAD", "/i/w_1/img_f.webp", nil)); rsp.StatusCode != 200 || body != "" || rsp.ContentLength != int64(len(picture)) {
		t.Errorf("HEAD: %d %d", rsp.StatusCode, rsp.ContentLength)
	}
}

func TestOnTheFlyErrorsAreNeverCached(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.Timeouts.Transform = 300 * time.Millisecond })
	s.images.keep("img_f", "", []byte("x"))
	busy := fault.New(fault.Unavailable, "WORKERS_BUSY", "every slot is taken")
	busy.RetryAfter = 3 * time.Second
	for _, c := range []struct {
		err    error
		status int
		reason string
	}{
		{busy, 503, "WORKERS_BUSY"},
		{fault.New(fault.Invalid, "BROKEN_IMAGE", "the file is cut off"), 422, "BROKEN_IMAGE"},
		{fault.New(fault.Internal, "", "oops"), 500, "INTERNAL"},
	} {
		s.worker.on = func(context.Context, *imagev1.TransformRequest, imagev1.Transformer_TransformStream) error {
			return c.err
		}
		rsp, body := s.get("/i/w_5/img_f.webp")
		s.wantProblem(rsp, body, c.status, c.reason)
		if rsp.Header.Get("ETag") != "" {
			t.Errorf("%s bears the picture's ETag", c.reason)
		}
		if c.reason == "WORKERS_BUSY" && rsp.Header.Get("Retry-After") != "3" {
			t.Errorf("Retry-After is %q", rsp.Header.Get("Retry-After"))
		}
	}
	cut := make(chan struct{})
	s.worker.on = func(ctx context.Context, _ *imagev1.TransformRequest, _ imagev1.Transformer_TransformStream) error {
		<-ctx.Done()
		close(cut)
		return ctx.Err()
	}
	rsp, body := s.get("/i/w_5/img_f.webp")
	s.wantProblem(rsp, body, 504, "TRANSFORM_TOO_SLOW")
	select {
	case <-cut:
	case <-time.After(5 * time.Second):
		t.Error("the worker goes on although nobody waits")
	}
	s.images.onPlan = func(*imagev1.PlanRequest, *imagev1.PlanResponse) error {
		f := fault.New(fault.Invalid, "BAD_OPTIONS", "the options cannot be read")
		f.Fields = []fault.Field{{Path: "options[0]", Message: `"q_800" is not within 1..100`}}
		return f
	}
	rsp, body = s.get("/i/q_800/img_f.webp")
	if d := s.wantProblem(rsp, body, 400, "BAD_OPTIONS"); len(d.Errors) != 1 {
		t.Errorf("violations %+v", d.Errors)
	}
}

func TestSignedAddresses(t *testing.T) {
	s := newStage(t, func(set *setup) {
		set.gateway.Signing.Keys = "new-key-that-is-long-enough,old-key-that-is-long-enough"
	})
	s.images.keep("img_f", "", []byte("x"))
	s.worker.gives([]byte("picture"))
	now, old := onthefly.Keys{[]byte("new-key-that-is-long-enough")}, onthefly.Keys{[]byte("old-key-that-is-long-enough")}
	stranger := onthefly.Keys{[]byte("another-key-that-is-long-enough")}
	const path = "w_512,c_fill/e_blur/img_f.webp"
	rsp, _ := s.get("/i/" + now.SignUntil(path, time.Now().Add(time.Hour)))
	if cache := rsp.Header.Get("Cache-Control"); rsp.StatusCode != 200 || !strings.HasPrefix(cache, "public, max-age=3") || strings.Contains(cache, "immutable") {
		t.Errorf("valid for an hour: %d, %s", rsp.StatusCode, cache)
	}
	for _, good := range []string{now.Sign(path), old.Sign(path), now.Sign("img_f.webp")} {
		if rsp, body := s.get("/i/" + good); rsp.StatusCode != 200 || body != "picture" {
			t.Errorf("%s: %d %s", good, rsp.StatusCode, body)
		}
	}
	for bad, reason := range map[string]string{
		path: "SIGNATURE_MISSING",
		now.SignUntil(path, time.Now().Add(-time.Second)): "SIGNATURE_EXPIRED",
		stranger.Sign(path):                            "SIGNATURE_WRONG",
		now.Sign("w_512/img_f.webp") + "x":             "SIGNATURE_WRONG",
		"s--" + strings.Repeat("A", 43) + "--/" + path: "SIGNATURE_WRONG",
		"s----/" + path:                                "SIGNATURE_WRONG",
		"s--%00%7f--/" + path:                          "SIGNATURE_WRONG",
	} {
		before := s.worker.count()
		rsp, body := s.get("/i/" + bad)
		s.wantProblem(rsp, body, http.StatusForbidden, reason)
		if s.worker.count() != before {
			t.Errorf("%s: work was done", bad)
		}
	}
}
