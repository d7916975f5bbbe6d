package app_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif"
	"image/png"
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
		"/imgproxy/insecure/rs:fill:320:320/plain/img_f":                                                                                           "c_lfill,w_320,h_320",
		"/imgproxy/oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png": "c_lfill,w_300,h_400,g_auto/f_png",
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
		"/imgproxy/unsafe/rs:auto:5:5/plain/img_none":          {404, "NOT_FOUND"},
		"/imgproxy/_/w:5/plain/img_f":                          {403, "SIGNATURE_WRONG"},
		"/imgproxy/unsafe/exp:1/plain/img_f":                   {404, "ADDRESS_EXPIRED"},
		"/thumbor/unsafe/filters:red_eye()/img_f":              {400, "NO_COUNTERPART"},
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
		"no key":        {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Opacity: 1}}, "key"},
		"a salt lacks":  {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Opacity: 1, Key: "00ff"}}, "key"},
		"no hex":        {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Opacity: 1, Key: "xyz", Salt: "00"}}, "key"},
		"our own route": {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/v1/", Opacity: 1, Unsigned: true}}, "prefix"},
		"a bad preset":  {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Opacity: 1, Unsigned: true, Presets: []string{"x=y:1"}}}, "presets[0]"},
		"no image":      {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Unsigned: true, Opacity: 1, Watermark: "logo.png"}}, "watermark"},
		"no opacity":    {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Unsigned: true, Opacity: 1.5}}, "watermark_opacity"},
		"no preset":     {app.CompatConfig{Imgproxy: app.ImgproxyConfig{Enabled: true, Prefix: "/a/", Opacity: 1, Unsigned: true, Presets: []string{"x"}}}, "presets[0]"},
		"thumbor's key": {app.CompatConfig{Thumbor: app.ThumborConfig{Enabled: true, Prefix: "/a/"}}, "key"},
	} {
		wrong := append(c.config.Imgproxy.Validate(), c.config.Thumbor.Validate()...)
		if len(wrong) != 1 || wrong[0].Path != c.path {
			t.Errorf("%s: %v", name, wrong)
		}
	}
}

// A watermark is where it should be, in any of the ways to name it, and the original comes as it is.
func TestOtherServersWatermarks(t *testing.T) {
	s := newWhole(t, withOld(func(c *app.CompatConfig) { c.Imgproxy.Watermark = "img_0" }))
	id, mark := s.uploads(plain(400, 300, color.NRGBA{0, 0, 255, 255})), s.uploads(plain(40, 20, color.NRGBA{255, 0, 0, 255}))
	url := base64.RawURLEncoding.EncodeToString([]byte("https://example.com/" + mark + ".png"))
	for path, box := range map[string]image.Rectangle{
		"/imgproxy/unsafe/wmu:" + url + "/wm:1:soea:10:5/f:png/plain/" + id:                                at(350, 275, 40, 20),
		"/imgproxy/unsafe/wmu:" + url + "/wm:1:nowe:0.1:0:0.5/f:png/plain/" + id:                           at(40, 0, 200, 100),
		"/imgproxy/unsafe/w:200/pd:10:20:30:40/wmu:" + url + "/wm:1:no/f:png/plain/" + id:                  at(110, 0, 40, 20),
		"/thumbor/unsafe/200x100/filters:watermark(http://x/" + mark + ".png,-10,20p,0):format(png)/" + id: at(150, 20, 40, 20),
		"/thumbor/unsafe/filters:watermark(" + mark + ",center,bottom,0,25,25):format(png)/" + id:          at(150, 250, 100, 50),
	} {
		m := s.decoded(path)
		for _, p := range []image.Point{box.Min, box.Max.Sub(image.Pt(1, 1))} {
			if r, _, b, _ := m.At(p.X, p.Y).RGBA(); r < 0xc000 || b > 0x4000 {
				t.Errorf("%s: at %v there is %v", path, p, m.At(p.X, p.Y))
			}
		}
		for _, p := range []image.Point{box.Min.Sub(image.Pt(3, 0)), box.Max.Add(image.Pt(3, 0))} {
			if r, _, _, _ := m.At(p.X, min(p.Y, m.Bounds().Dy()-1)).RGBA(); r > 0x4000 {
				t.Errorf("%s: at %v, beside it, there is %v", path, p, m.At(p.X, p.Y))
			}
		}
	}
	rsp, body := s.get("/imgproxy/unsafe/wm:1/plain/" + id)
	s.wantProblem(rsp, body, 404, "OVERLAY_NOT_FOUND")
	for _, path := range []string{"/imgproxy/unsafe/raw:1/w:5/plain/" + id, "/thumbor/unsafe/5x5/filters:raw()/" + id} {
		if rsp, body := s.get(path); rsp.StatusCode != 200 || body != string(plain(400, 300, color.NRGBA{0, 0, 255, 255})) {
			t.Errorf("%s: %d, %d bytes", path, rsp.StatusCode, len(body))
		}
	}
}

func plain(w, h int, c color.Color) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	var b bytes.Buffer
	_ = png.Encode(&b, m)
	return b.Bytes()
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
