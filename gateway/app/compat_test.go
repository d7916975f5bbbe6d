package app_test

import (
	"image"
	_ "image/gif"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"calotype/gateway/app"
	imagev1 "calotype/proto/image/v1"
)

// withOld serves other servers' addresses, signed and not.
func withOld(change ...func(*app.CompatConfig)) func(*setup) {
	return func(set *setup) {
		c := &set.gateway.Compat
		c.Imgproxy.Enabled, c.Imgproxy.Unsigned, c.Imgproxy.Key, c.Imgproxy.Salt = true, true, "736563726574", "68656c6c6f"
		c.Imgproxy.Presets = []string{"square=rs:fill:100:100:1"}
		c.Thumbor.Enabled, c.Thumbor.Unsigned, c.Thumbor.Key = true, true, "my-security-key"
		for _, f := range change {
			f(c)
		}
	}
}

func TestOtherServersAddresses(t *testing.T) {
	list := filepath.Join(t.TempDir(), "sources")
	if err := os.WriteFile(list, []byte("# moved in March\n\nhttp://example.com/images/curiosity.jpg img_f\nmy.server.com/some/path/to/image.jpg\timg_f\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, withOld(func(c *app.CompatConfig) { c.Sources = list }))
	img := s.images.keep("img_f", "", []byte("x")) // 640 x 480
	s.worker.gives([]byte("picture"))
	var asked *imagev1.PlanRequest
	s.images.onPlan = func(in *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
		asked = in
		out.Image, out.Key, out.Variant = img, "key-1", &imagev1.Variant{Name: "fly"}
		return nil
	}
	for path, want := range map[string]string{
		"/imgproxy/unsafe/rs:fit:300:200/plain/https://example.com/a/img_f.jpg@webp":                                                               "c_limit,w_300,h_200/f_webp",
		"/imgproxy/insecure/rs:fill:320:320/plain/img_f":                                                                                           "c_scale,w_427,h_320/c_crop,w_320,h_320",
		"/imgproxy/oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png": "c_scale,w_533,h_400/c_crop,w_300,h_400,g_auto/f_png",
		"/imgproxy/unsafe/pr:square/plain/http:%2F%2Fexample.com%2Fimages%2Fcuriosity.jpg":                                                         "c_fill,w_100,h_100",
		"/thumbor/unsafe/300x200/smart/filters:quality(80):format(webp)/img_f.jpg":                                                                 "c_fill,w_300,h_200,g_auto/f_webp,q_80",
		"/thumbor/8ammJH8D-7tXy6kU3lTvoXlhu4o=/300x200/my.server.com/some/path/to/image.jpg":                                                       "c_fill,w_300,h_200",
		"/thumbor/unsafe/full-fit-in/320x100/http://example.com/x/img_f.jpg?v=2":                                                                   "c_scale,w_320,h_240",
	} {
		rsp, body := s.get(path)
		if rsp.StatusCode != 200 || body != "picture" || asked.GetOptions() != want || asked.GetImageId() != "img_f" || asked.GetExtension() != "" {
			t.Errorf("%s: %d %s, planned as %v", path, rsp.StatusCode, body, asked)
		}
		if h := rsp.Header; h.Get("ETag") != `"key-1"` || h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	rsp, _ := s.get("/imgproxy/unsafe/exp:99999999999/fn:sunset/att:1/plain/img_f")
	if d := rsp.Header.Get("Content-Disposition"); d != "attachment; filename=sunset.webp" || strings.Contains(rsp.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%v", rsp.Header)
	}
	for path, want := range map[string]struct {
		status int
		reason string
	}{
		"/imgproxy/unsafe/wm:1/plain/img_f":                    {400, "NO_COUNTERPART"},
		"/imgproxy/unsafe/resise:1/plain/img_f":                {400, "BAD_OPTIONS"},
		"/imgproxy/unsafe/w:5/plain/https://example.com/b.jpg": {404, "SOURCE_UNKNOWN"},
		"/imgproxy/unsafe/rs:fill:5:5/plain/img_none":          {404, "NOT_FOUND"},
		"/imgproxy/_/w:5/plain/img_f":                          {403, "SIGNATURE_WRONG"},
		"/imgproxy/unsafe/exp:1/plain/img_f":                   {404, "ADDRESS_EXPIRED"},
		"/thumbor/unsafe/filters:noise(4)/img_f":               {400, "NO_COUNTERPART"},
		"/thumbor/unsafe/30x20/b.jpg":                          {404, "SOURCE_UNKNOWN"},
		"/thumbor/30x20/img_f":                                 {403, "SIGNATURE_WRONG"},
		"/thumbor/":                                            {403, "SIGNATURE_WRONG"},
	} {
		rsp, body := s.get(path)
		s.wantProblem(rsp, body, want.status, want.reason)
	}
	rsp, body := s.post("/thumbor/unsafe/30x20/img_f", "")
	s.wantProblem(rsp, body, 405, "METHOD_NOT_ALLOWED")
}

func TestOtherServersAddressesAreServedWhenToldTo(t *testing.T) {
	s := newStage(t)
	s.images.keep("img_f", "", []byte("x"))
	for _, path := range []string{"/imgproxy/unsafe/w:5/plain/img_f", "/thumbor/unsafe/30x20/img_f"} {
		rsp, body := s.get(path)
		s.wantProblem(rsp, body, 404, "ROUTE_NOT_FOUND")
	}
	for name, c := range map[string]struct {
		config app.CompatConfig
		path   string
	}{
		"no key":        {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/"}}, "key"},
		"a salt lacks":  {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Key: "00ff"}}, "key"},
		"no hex":        {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Key: "xyz", Salt: "00"}}, "key"},
		"our own route": {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/v1/", Unsigned: true}}, "prefix"},
		"a bad preset":  {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Unsigned: true, Presets: []string{"x=y:1"}}}, "presets[0]"},
		"no preset":     {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Unsigned: true, Presets: []string{"x"}}}, "presets[0]"},
		"thumbor's key": {app.CompatConfig{Thumbor: app.ThumborConfig{Enabled: true, Prefix: "/a/"}}, "key"},
	} {
		wrong := append(c.config.Imgproxy.Validate(), c.config.Thumbor.Validate()...)
		if len(wrong) != 1 || wrong[0].Path != c.path {
			t.Errorf("%s: %v", name, wrong)
		}
	}
}

// Through everything, on real pictures.
func TestOtherServersAddressesOnRealPictures(t *testing.T) {
	id, s := movedIn(t, photograph(1200, 800))
	for path, want := range map[string]image.Point{
		"/imgproxy/unsafe/rs:fill:300:300/g:sm/q:70/plain/" + id + ".jpg@png":                           {X: 300, Y: 300},
		"/imgproxy/unsafe/rs:fit:300:300/ex:1/pd:10/bg:f00/sh:0.7/f:gif/plain/" + id:                    {X: 320, Y: 320},
		"/imgproxy/unsafe/c:600:600:noea/rot:90/dpr:2/w:100/f:jpg/plain/" + id:                          {X: 200, Y: 200},
		"/thumbor/unsafe/fit-in/-300x300/filters:fill(blur):hue(290):grayscale():format(png)/" + id:     {X: 300, Y: 300},
		"/thumbor/unsafe/100x100:700x500/150x150/filters:round_corner(20|20,0,0,0,1):format(png)/" + id: {X: 150, Y: 150},
	} {
		if m := s.decoded(path); m.Bounds().Size() != want {
			t.Errorf("%s is %v", path, m.Bounds().Size())
		}
	}
}
