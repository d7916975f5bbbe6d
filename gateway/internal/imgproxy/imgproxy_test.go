package imgproxy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"calotype/gateway/internal/compat"
	"calotype/kit/fault"
)

var reader = Reader{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }, Presets: map[string]string{
	"sharp": "sharpen:0.7", "square": "rs:fill:100:100:1/pr:sharp", "loop": "pr:loop",
}}

// What each option says in Calotype's; sizes are of an image of 400 x 300 where it counts.
func TestOptions(t *testing.T) {
	for path, want := range map[string]string{
		"":                                     "",
		"rs:fit:300:200":                       "c_limit,w_300,h_200",
		"rs:fit:300:200:1":                     "c_fit,w_300,h_200",
		"resize::300":                          "c_limit,w_300",
		"w:300":                                "c_limit,w_300",
		"h:200/el:1":                           "c_fit,h_200",
		"s:300:200":                            "c_limit,w_300,h_200",
		"s:300:200/dpr:2":                      "c_limit,w_600,h_400",
		"rs:fill:300:200:1":                    "c_fill,w_300,h_200",
		"rs:fill:300:200:1/g:noea":             "c_fill,w_300,h_200,g_north_east",
		"rs:fill:300:200:1/g:soea":             "c_fill,w_300,h_200,g_south_east",
		"rs:fill:300:200:1/g:sowe":             "c_fill,w_300,h_200,g_south_west",
		"rs:fill:300:200:1/g:nowe":             "c_fill,w_300,h_200,g_north_west",
		"rs:fill:300:200:1/g:sm":               "c_fill,w_300,h_200,g_auto",
		"rs:fill:300:200:1/g:fp:0.25:1":        "c_fill,w_300,h_200,g_xy_center,x_0.25,y_1.0",
		"rs:fill:200:100":                      "c_scale,w_200,h_150/c_crop,w_200,h_100",
		"rs:fill:200:100/g:no":                 "c_scale,w_200,h_150/c_crop,w_200,h_100,g_north",
		"rs:fill:200:100/g:so:0:10":            "c_scale,w_200,h_150/c_crop,w_200,h_100,x_0,y_40",
		"rs:fill:200:100/g:so:0:10/dpr:2":      "c_crop,w_400,h_200,x_0,y_80",
		"rs:fill:800:600":                      "",
		"rs:fill:800:100":                      "c_crop,w_400,h_100",
		"rs:fill-down:800:400":                 "c_crop,w_400,h_200",
		"rs:fill-down:800:400:1":               "c_fill,w_800,h_400",
		"rs:force:200:200:1":                   "c_scale,w_200,h_200",
		"rs:force:200:0:1":                     "c_scale,w_200,h_300",
		"rs:force:800:200":                     "c_scale,w_400,h_100",
		"rs:auto:200:100":                      "c_scale,w_200,h_150/c_crop,w_200,h_100",
		"rs:auto:100:200":                      "c_scale,w_100,h_75",
		"w:100/mw:200":                         "c_scale,w_200,h_150/c_crop,w_100,h_150",
		"z:0.5":                                "c_scale,w_200,h_150",
		"z:0.5:0.25":                           "c_scale,w_200,h_75",
		"rs:fit:300:200/ex:1":                  "c_limit,w_300,h_200/c_pad,w_300,h_200",
		"rs:fit:300:200/ex:1:no/bg:255:0:0":    "c_limit,w_300,h_200/c_pad,w_300,h_200,g_north,b_ff0000/b_ff0000",
		"rs:fit:300:300/exar:1":                "c_limit,w_300,h_300/c_pad,w_300,h_300",
		"rs:fit:800:800/exar:1":                "c_limit,w_800,h_800/c_pad,w_400,h_400",
		"c:200:100":                            "c_crop,w_200,h_100",
		"c:200:100:noea":                       "c_crop,w_200,h_100,g_north_east",
		"c:0.5:0:nowe:10:20":                   "c_crop,w_200,h_300,x_10,y_0",
		"c:200:100/g:fp:0.1:0.2":               "c_crop,w_200,h_100,g_xy_center,x_0.1,y_0.2",
		"c:200:200/rs:fill:100:50":             "c_crop,w_200,h_200/c_scale,w_100,h_100/c_crop,w_100,h_50",
		"t:10/w:200":                           "e_trim:10/c_limit,w_200",
		"pd:10/bg:f00/w:200":                   "c_limit,w_200/bo_10px_solid_f00/b_f00",
		"pd:10/dpr:2/w:100/el:1":               "c_fit,w_200/bo_20px_solid_transparent",
		"rot:90/rs:fill:100:100":               "a_90/c_scale,w_100,h_133/c_crop,w_100,h_100",
		"rot:-90":                              "a_270",
		"fl:1:1":                               "a_hflip.vflip",
		"bl:1.5/sh:0.7/pix:8":                  "e_blur:1.5/e_sharpen:0.7/e_pixelate:8",
		"br:51/sa:0.5":                         "e_brightness:20/e_saturation:-50",
		"a:51:1:2":                             "e_brightness:20/e_saturation:100",
		"dt:0.5:001e50:fff0c8/col:0.2:ff8800":  "e_duotone:001e50:fff0c8:50/e_tint:20:ff8800",
		"q:80/f:webp":                          "f_webp,q_80",
		"fq:webp:70:jpg:60/f:jpg":              "f_jpg,q_60",
		"f:best":                               "f_auto",
		"sm:0":                                 "fl_keep_metadata",
		"sm:0/scp:1":                           "fl_keep_metadata.strip_profile",
		"sm:1/scp:1/ar:1/kcr:0/cb:abc/hs:none": "",
		"mb:1000":                              "bytes_1000",
		"pg:2":                                 "pg_3",
		"da:1":                                 "pg_1",
		"pr:square":                            "c_fill,w_100,h_100/e_sharpen:0.7",
		"w:200/-/c:100:50/-/bl:2":              "c_limit,w_200/c_crop,w_100,h_50/e_blur:2",
		"exp:1700000001":                       "",
	} {
		path = strings.Trim(path, "/")
		if path != "" {
			path += "/"
		}
		a, err := reader.Read("/_/" + path + "plain/img_1.jpg")
		if err != nil || a.Source != "img_1.jpg" {
			t.Errorf("%s: %q, %v", path, a.Source, err)
			continue
		}
		got, err := a.Options(compat.Size{Width: 400, Height: 300})
		if err != nil || got != want {
			t.Errorf("%s\n got %q, %v\nwant %q", path, got, err, want)
		}
		if without, err := a.Options(compat.Size{}); !errors.Is(err, compat.ErrUnmeasured) && (err != nil || without != got) {
			t.Errorf("%s of an image of no known size: %q, %v", path, without, err)
		}
	}
}

// What is refused, and the name that is told.
func TestRefused(t *testing.T) {
	for path, want := range map[string]struct{ reason, says string }{
		"wm:0.5:ce":               {compat.NoCounterpart, `"watermark"`},
		"watermark_text:aGk":      {compat.NoCounterpart, `"watermark_text"`},
		"raw:1":                   {compat.NoCounterpart, `"raw"`},
		"g:obj:face":              {compat.NoCounterpart, `"obj"`},
		"t:10:ff0000":             {compat.NoCounterpart, "trim"},
		"t:10/rs:fill:30:40":      {compat.NoCounterpart, "trimmed"},
		"pd:10:20":                {compat.NoCounterpart, "padding"},
		"rs:fit:800:800:0:1":      {compat.NoCounterpart, "smaller than 800 x 800"},
		"rs:fit:300:200:0:1:ce:9": {compat.NoCounterpart, "offset"},
		"fq:webp:70":              {compat.NoCounterpart, "format_quality"},
		"eth:1":                   {compat.NoCounterpart, "enforce_thumbnail:1"},
		"sa:3":                    {compat.NoCounterpart, "saturation"},
		"resise:fit:1:2":          {"BAD_OPTIONS", `"resise"`},
		"w:-1":                    {"BAD_OPTIONS", `"-1"`},
		"w:NaN":                   {"BAD_OPTIONS", `"NaN"`},
		"rs:stretch:1:2":          {"BAD_OPTIONS", `"stretch"`},
		"el:maybe":                {"BAD_OPTIONS", `"maybe"`},
		"rot:45":                  {"BAD_OPTIONS", "45"},
		"pr:nope":                 {"BAD_OPTIONS", `"nope"`},
		"pr:loop":                 {"BAD_OPTIONS", "presets"},
		"bg:zzz":                  {"BAD_OPTIONS", `"zzz"`},
		"f:../x":                  {"BAD_OPTIONS", ""},
		"exp:1":                   {"ADDRESS_EXPIRED", ""},
		"-/-/-/-/-/-/-/-":         {"BAD_OPTIONS", "8"},
	} {
		a, err := reader.Read("/_/" + path + "/plain/img_1")
		if err == nil {
			_, err = a.Options(compat.Size{Width: 400, Height: 300})
		}
		if f := fault.As(err); f == nil || f.Reason != want.reason || !strings.Contains(f.Message, want.says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSources(t *testing.T) {
	for path, want := range map[string][2]string{
		"/_/plain/http://example.com/images/curiosity.jpg@png":                      {"http://example.com/images/curiosity.jpg", "f_png"},
		"/_/w:5/plain/http:%2F%2Fexample.com/a%40b.jpg":                             {"http://example.com/a@b.jpg", "c_limit,w_5"},
		"/_/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png":            {"http://example.com/images/curiosity.jpg", "f_png"},
		"/_/rs:fill:300:400:1/aHR0cDovL2V4YW1wbGUuY29tL2ltYWdlcy9jdXJpb3NpdHkuanBn": {"http://example.com/images/curiosity.jpg", "c_fill,w_300,h_400"},
		"/_/w%3A5/plain/img_1": {"img_1", "c_limit,w_5"},
		"/_/enc/abc":           {"", ""},
		"/_/":                  {"", ""},
		"/_":                   {"", ""},
		"/_/w:5":               {"", ""},
		"/_/plain/%zz":         {"", ""},
	} {
		a, err := reader.Read(path)
		if want[0] == "" {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %+v, %v", path, a.Source, err)
			}
			continue
		}
		if err != nil || a.Source != want[0] {
			t.Errorf("%s: %q, %v", path, a.Source, err)
			continue
		}
		if got, err := a.Options(compat.Size{}); err != nil || got != want[1] {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

func TestFilename(t *testing.T) {
	for option, want := range map[string]compat.Address{
		"fn:a%20b":        {Filename: "a b"},
		"fn:YSBi:1/att:1": {Filename: "a b", Attachment: true},
		"att:0":           {},
	} {
		if a, err := reader.Read("/_/" + option + "/plain/img_1"); err != nil || a.Filename != want.Filename || a.Attachment != want.Attachment {
			t.Errorf("%s: %+v, %v", option, a, err)
		}
	}
}
