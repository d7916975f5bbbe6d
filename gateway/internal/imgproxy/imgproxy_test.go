package imgproxy

import (
	"strings"
	"testing"
	"time"

	"calotype/gateway/internal/compat"
	"calotype/gateway/internal/compat/compattest"
	"calotype/kit/fault"
)

var reader = Reader{Find: compattest.Find, Watermark: "img_w", Opacity: 0.5, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }, Presets: map[string]string{
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
		"rs:fill:200:100":                      "c_lfill,w_200,h_100",
		"rs:fill:200:100/g:no":                 "c_lfill,w_200,h_100,g_north",
		"rs:fill:200:100/g:so:0:10":            "c_scale,w_200,h_150/c_crop,w_200,h_100,x_0,y_40",
		"rs:fill:200:100/g:so:0:10/dpr:2":      "c_crop,w_400,h_200,x_0,y_80",
		"rs:fill:800:600":                      "c_lfill,w_800,h_600",
		"rs:fill:800:100":                      "c_lfill,w_800,h_100",
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
		"rs:fit:300:200/ex:1":                  "c_limit,w_300,h_200/c_lpad,w_300,h_200",
		"rs:fit:300:200/ex:1:no/bg:255:0:0":    "c_limit,w_300,h_200/c_lpad,w_300,h_200,g_north,b_ff0000/b_ff0000",
		"rs:fit:300:300/exar:1":                "c_limit,w_300,h_300/c_lpad,w_300,h_300",
		"rs:fit:800:800/exar:1":                "c_limit,w_800,h_800/c_lpad,w_400,h_400",
		"c:200:100":                            "c_crop,w_200,h_100",
		"c:200:100:noea":                       "c_crop,w_200,h_100,g_north_east",
		"c:0.5:0:nowe:10:20":                   "c_crop,w_200,h_300,x_10,y_0",
		"c:200:100/g:fp:0.1:0.2":               "c_crop,w_200,h_100,g_xy_center,x_0.1,y_0.2",
		"c:200:200/rs:fill:100:50":             "c_crop,w_200,h_200/c_lfill,w_100,h_50",
		"t:10/w:200":                           "e_trim:10/c_limit,w_200",
		"pd:10/bg:f00/w:200":                   "c_limit,w_200/bo_10px_solid_f00/b_f00",
		"pd:10/dpr:2/w:100/el:1":               "c_fit,w_200/bo_20px_solid_transparent",
		"rot:90/rs:fill:100:100":               "a_90/c_lfill,w_100,h_100",
		"pd:10:20":                             "c_lpad,w_440,h_320,g_north_west,x_20,y_10,b_transparent",
		"pd:0:0:7/bg:00f/w:200":                "c_limit,w_200/c_lpad,w_200,h_157,g_north_west,b_00f/b_00f",
		"rs:fit:800:800:0:1":                   "c_limit,w_800,h_800/c_lpad,w_800,h_800",
		"rs:fit:800:600:0:1:soea:9:-0.1":       "c_limit,w_800,h_600/c_lpad,w_800,h_600,g_south_east,x_9,y_-30",
		"t:10/rs:fill:30:40":                   "e_trim:10/c_lfill,w_30,h_40",
		"c:200:100/car:1":                      "c_crop,w_100,h_100",
		"c:200:100/car:1:1":                    "c_crop,w_200,h_200",
		"c:400:100/car:1:1":                    "c_crop,w_300,h_300",
		"wm:1":                                 "l_img_w,o_50",
		"wm:0":                                 "",
		"w:200/pd:5/wm:0.5:soea:10:20:0.2":     "c_limit,w_200/bo_5px_solid_transparent/l_img_w,w_0.2,h_0.2,g_south_east,x_10,y_20,o_25",
		"w:200/wm:1:no:0:0.1:1":                "c_limit,w_200/l_img_w,w_1.0,h_1.0,g_north,y_15,o_50",
		"w:100/dpr:2/wm:1:we:-3":               "c_scale,w_200,h_150/l_img_w,g_west,x_-6,o_50",
		"wm:1:re:5:6/wmr:-45/wms:30":           "l_img_w,w_30,x_5,y_6,a_-45,o_50,fl_tiled",
		"wmu:aHR0cHM6Ly94L2ltZ192LnBuZw/wm:1":  "l_img_v,o_50",
		"wm:1:sowe:4:4/wmt:wqkgbWU":            "l_text:sans_16:b64:wqkgbWU,g_south_west,x_4,y_4,o_50",
		"wmt:aGk":                              "",
		"gr:0.5":                               "e_gradient:180:transparent:00000080:0:1",
		"gr:1:f80:90:0.25:0.75/bl:2":           "e_blur:2/e_gradient:270:transparent:ff8800ff:0.25:0.75",
		"jpgo:1:1/f:jpg":                       "f_jpg,fl_progressive.chroma_444",
		"jpgo:1/pngo:1:1/f:png/q:80":           "f_png,fl_progressive.png8",
		"webpo:lossless/f:webp/sm:0":           "f_webp,fl_keep_metadata.lossless",
		"kcr:1/sm:0":                           "fl_keep_metadata",
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
		compattest.Says(t, reader, "/_/"+path+"plain/img_1.jpg", "img_1.jpg", want)
	}
}

// What is refused, and the name that is told.
func TestRefused(t *testing.T) {
	for path, want := range map[string]struct{ reason, says string }{
		"wmsh:2":                                 {compat.NoCounterpart, `"watermark_shadow"`},
		"wm:1:ch":                                {compat.NoCounterpart, "chessboard"},
		"wm:1:ce:0:0:1.5":                        {compat.NoCounterpart, "scale above 1"},
		"wm:1/wmt:PGI-aGk":                       {compat.NoCounterpart, "markup"},
		"wm:1:ce:0:0:0.5/wmt:aGk":                {compat.NoCounterpart, "size of its own"},
		"wm:1:middle":                            {"BAD_OPTIONS", `"middle"`},
		"wm:2":                                   {"BAD_OPTIONS", `"2"`},
		"wmu:aHR0cHM6Ly9leGFtcGxlLmNvbS9iLmpwZw": {"SOURCE_UNKNOWN", "example.com/b.jpg"},
		"gr:1:f00:45":                            {compat.NoCounterpart, "45 degrees"},
		"gr:1:f00:up:0.5:0.5":                    {compat.NoCounterpart, "behind its start"},
		"jpgo:1":                                 {compat.NoCounterpart, "without a format"},
		"jpgo:0:0:1/f:jpg":                       {compat.NoCounterpart, "trellis_quant"},
		"pngo:0:1:64/f:png":                      {compat.NoCounterpart, "quantization_colors"},
		"webpo:near_lossless":                    {compat.NoCounterpart, "near_lossless"},
		"kcr:1":                                  {compat.NoCounterpart, "keep_copyright:1"},
		"raw:1/att:1":                            {compat.NoCounterpart, "raw"},
		"mc:1":                                   {compat.NoCounterpart, `"monochrome"`},
		"g:obj:face":                             {compat.NoCounterpart, `"obj"`},
		"t:10:ff0000":                            {compat.NoCounterpart, "trim"},
		"t:10/rs:fill:30:40:0:1":                 {compat.NoCounterpart, "trimmed"},
		"fq:webp:70":                             {compat.NoCounterpart, "format_quality"},
		"eth:1":                                  {compat.NoCounterpart, "enforce_thumbnail:1"},
		"sa:3":                                   {compat.NoCounterpart, "saturation"},
		"resise:fit:1:2":                         {"BAD_OPTIONS", `"resise"`},
		"w:-1":                                   {"BAD_OPTIONS", `"-1"`},
		"w:NaN":                                  {"BAD_OPTIONS", `"NaN"`},
		"rs:stretch:1:2":                         {"BAD_OPTIONS", `"stretch"`},
		"el:maybe":                               {"BAD_OPTIONS", `"maybe"`},
		"rot:45":                                 {"BAD_OPTIONS", "45"},
		"pr:nope":                                {"BAD_OPTIONS", `"nope"`},
		"pr:loop":                                {"BAD_OPTIONS", "presets"},
		"bg:zzz":                                 {"BAD_OPTIONS", `"zzz"`},
		"f:../x":                                 {"BAD_OPTIONS", ""},
		"exp:1":                                  {"ADDRESS_EXPIRED", ""},
		"-/-/-/-/-/-/-/-":                        {"BAD_OPTIONS", "8"},
	} {
		if f := compattest.Refused(reader, "/_/"+path+"/plain/img_1"); f == nil || f.Reason != want.reason || !strings.Contains(f.Message, want.says) {
			t.Errorf("%s: %v", path, f)
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
