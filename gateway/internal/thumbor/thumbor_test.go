package thumbor

import (
	"strings"
	"testing"
	"time"

	"calotype/gateway/internal/compat/compattest"
	"calotype/kit/fault"
)

var reader = Reader{Find: compattest.Find, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}

// What each part says in Calotype's options; sizes are of an image of 400 x 300 where it counts.
func TestOptions(t *testing.T) {
	for path, want := range map[string]string{
		"":                                       "",
		"300x200":                                "c_fill,w_300,h_200",
		"300x":                                   "c_fit,w_300",
		"x200":                                   "c_fit,h_200",
		"300x0":                                  "c_fit,w_300",
		"0x0":                                    "",
		"-300x-200":                              "c_fill,w_300,h_200/a_hflip.vflip",
		"-0x0":                                   "a_hflip",
		"-x-":                                    "a_hflip.vflip",
		"origx100":                               "c_fill,w_400,h_100",
		"300xorig":                               "c_fill,w_300,h_300",
		"origxorig":                              "c_fill,w_400,h_300",
		"300x200/left/top":                       "c_fill,w_300,h_200,g_north_west",
		"300x200/right":                          "c_fill,w_300,h_200,g_east",
		"300x200/center/bottom":                  "c_fill,w_300,h_200,g_south",
		"300x200/center/middle":                  "c_fill,w_300,h_200",
		"300x200/left/smart":                     "c_fill,w_300,h_200,g_auto",
		"fit-in/300x200":                         "c_limit,w_300,h_200",
		"fit-in/300x":                            "c_limit,w_300",
		"fit-in/-300x200":                        "c_limit,w_300,h_200/a_hflip",
		"fit-in/600x500/filters:upscale()":       "c_fit,w_600,h_500",
		"full-fit-in/300x200":                    "c_scale,w_300,h_225",
		"full-fit-in/800x200":                    "c_scale,w_800,h_600",
		"adaptive-fit-in/200x300":                "c_limit,w_300,h_200",
		"adaptive-fit-in/300x200":                "c_limit,w_300,h_200",
		"adaptive-full-fit-in/200x300":           "c_scale,w_300,h_225",
		"fit-in/300x300/filters:fill(blue)":      "c_lpad,w_300,h_300,b_0000ff/b_0000ff",
		"fit-in/300x300/filters:fill(blur)":      "c_lpad,w_300,h_300,b_blurred",
		"stretch/300x200":                        "c_scale,w_300,h_200",
		"300x200/filters:stretch()":              "c_scale,w_300,h_200",
		"600x400/filters:no_upscale()":           "c_lfill,w_600,h_400",
		"600x/filters:no_upscale()":              "c_limit,w_600",
		"300x300/filters:proportion(0.5)":        "c_fill,w_150,h_150",
		"10x20:110x220":                          "c_crop,w_100,h_200,x_10,y_20",
		"10x20:10x220":                           "",
		"0.25x0.1:0.75x1.0":                      "c_crop,w_200,h_270,x_100,y_30",
		"10x20:110x220/50x50":                    "c_crop,w_100,h_200,x_10,y_20/c_fill,w_50,h_50",
		"trim":                                   "e_trim:1",
		"trim:top-left:50/300x200":               "e_trim:29/c_fill,w_300,h_200",
		"trim:26":                                "e_trim:15",
		"300x200/filters:focal(146x206:279x360)": "c_fill,w_300,h_200,g_xy_center,x_212,y_283",
		"300x200/filters:focal(0.1x0.2:0.3x0.4)": "c_fill,w_300,h_200,g_xy_center,x_0.2,y_0.3",
		"100x100:400x300/30x20/filters:focal(150x150:250x250)":                        "c_crop,w_300,h_200,x_100,y_100/c_fill,w_30,h_20,g_xy_center,x_100,y_100",
		"fit-in/180x180/10x10/filters:fill(yellow)":                                   "c_lpad,w_180,h_180,b_ffff00/bo_10px_solid_ffff00/b_ffff00",
		"filters:quality(80):format(webp)":                                            "f_webp,q_80",
		"filters:grayscale():brightness(10):contrast(-20):saturation(40)":             "e_grayscale/e_brightness:10/e_contrast:-20/e_saturation:40",
		"filters:equalize():blur(7)":                                                  "e_equalize/e_blur:7",
		"filters:rgb(20, -20,40)":                                                     "e_rgb:20:-20:40",
		"filters:rgb(0,0,0):blur(7)":                                                  "e_rgb:0:0:0/e_blur:7",
		"filters:noise(40)":                                                           "e_noise:40",
		"filters:convolution(-1;-1;-1;-1;8.5;-1;-1;-1;-1,3,false)":                    "e_convolve:-1:-1:-1:-1:8.5:-1:-1:-1:-1",
		"filters:convolution(1;2;3,3)":                                                "e_convolve:0:0:0:1:2:3:0:0:0:normalize",
		"filters:convolution(1;2;3;4;5,1,0)":                                          "e_convolve:0:0:1:0:0:0:0:2:0:0:0:0:3:0:0:0:0:4:0:0:0:0:5:0:0",
		"filters:hue(290)":                                                            "e_hue:-70",
		"filters:blur(7)":                                                             "e_blur:7",
		"filters:blur(7,2)":                                                           "e_blur:2",
		"filters:blur(0)":                                                             "",
		"filters:sharpen(1.5)":                                                        "e_sharpen:1.5",
		"filters:rotate(90)":                                                          "a_270",
		"filters:rotate(360)":                                                         "",
		"filters:round_corner(20,255,255,255)":                                        "r_20/b_ffffff",
		"filters:round_corner(20|20,0,0,0,1)":                                         "r_20",
		"filters:round_corner(20,20,red)":                                             "r_20/b_ff0000",
		"filters:strip_exif():strip_icc():max_bytes(40000)":                           "bytes_40000",
		"filters:background_color(f00)":                                               "b_f00",
		"filters:cover()":                                                             "pg_1",
		"filters:page(2)":                                                             "pg_2",
		"filters:quality(80):max_bytes(1):format(png)":                                "f_png",
		"fit-in/800x800/filters:fill(red)":                                            "c_lpad,w_800,h_800,b_ff0000/b_ff0000",
		"fit-in/800x800/filters:upscale():fill(red)":                                  "c_pad,w_800,h_800,b_ff0000/b_ff0000",
		"30x30/10x20:10x20":                                                           "c_fill,w_30,h_30/c_lpad,w_50,h_70,g_north_west,x_10,y_20,b_transparent",
		"30x30/1x0:2x3/filters:fill(red)":                                             "c_fill,w_30,h_30/c_lpad,w_33,h_33,g_north_west,x_1,b_ff0000/b_ff0000",
		"200x100/filters:crop(10,20,300,50)":                                          "c_fill,w_200,h_100/c_crop,w_190,h_50,x_10,y_20",
		"200x100/filters:crop(0.5,0,0.5,1)":                                           "c_fill,w_200,h_100/c_crop,w_100,h_100,x_100,y_0",
		"filters:watermark(http://x/img_w.png,-10,-10,50)":                            "l_img_w,g_south_east,x_10,y_10,o_50",
		"filters:watermark(img_w,10p,-20p,50)":                                        "l_img_w,g_south_west,x_40,y_60,o_50",
		"filters:watermark(img_w,center,bottom,0,20)":                                 "l_img_w,w_0.2,g_south",
		"filters:watermark(img_w,30,10,50,none,15)":                                   "l_img_w,h_0.15,g_north_west,x_30,y_10,o_50",
		"filters:watermark(img_w,r-5,center,0,30,30)":                                 "l_img_w,w_0.3,h_0.3,g_east,x_5",
		"filters:watermark(img_w,repeat,repeat,70)":                                   "l_img_w,fl_tiled,o_30",
		"filters:watermark(img_w,0,0,100)":                                            "",
		"filters:rotate(90):watermark(img_w,50p,0,0)":                                 "a_270/l_img_w,g_north_west,x_150",
		"filters:text(Hello+you,center,b-20,sans-bold-24,yellow,20,normal,90,center)": "l_text:sans_24_bold_center:b64:SGVsbG8geW91,co_ffff00,w_90,g_south,y_20,o_80",
		"filters:text(b64:SGk,0.25,0,monospace-18)":                                   "l_text:monospace_18:b64:SGk,g_north_west,x_100",
		"filters:label(Hi,5,-6,30,f00,40)":                                            "l_text:sans_30:b64:SGk,co_f00,g_south_west,x_5,y_6,o_60",
		"filters:max_frames(1):to_colorspace(p3):preview()":                           "cs_p3,pg_1",
		"filters:attachment(a.jpg):expire(1700000001000)":                             "",
		"filters:": "?",
	} {
		segment := path
		if path != "" {
			segment += "/"
		}
		address := "/unsafe/" + segment + "my.server.com/some/path/to/img_1.jpg"
		if want == "?" {
			if _, err := reader.Read(address); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		compattest.Says(t, reader, address, "my.server.com/some/path/to/img_1.jpg", want)
	}
}

func TestRefused(t *testing.T) {
	for path, says := range map[string]string{
		"meta/300x200": "meta", "trim:bottom-right": "bottom-right", "filters:noise(101)": "0..100",
		"filters:convolution(1;2;3;4,2,true)": "odd sides", "filters:convolution(1;2;3,2)": "odd sides", "filters:convolution(1;2;3)": `""`, "filters:convolution(1;2;1001,3)": "1000",
		"filters:convolution(1;2;3,3,yes)": `"yes"`, "filters:convolution(1;2;3;4;5;6;7,7)": "7 x 1", "filters:convolution(1;2;3,1.5)": "odd sides", "filters:convolution(,1)": `""`,
		"filters:rgb(20,-20)": `""`, "filters:rgb(20,-200,0)": "-100..100", "filters:sharpen(2,1,true)": "sharpen", "filters:rotate(45)": "45",
		"filters:round_corner(20|40,0,0,0)": "ellipse", "fit-in/300x300/filters:fill(auto)": "fill(auto)",
		"trim/origx20": "trimmed",
		"filters:watermark(img_w,repeat,bottom,0,40,40)": "along one side", "filters:watermark(img_w,middle,0,0)": `"middle"`, "filters:watermark(img_w,0,0,101)": "0..100",
		"filters:text(Hi,0,0)": "font", "filters:text(Hi,0,0,sans-24,red,0,multiply)": "blend_mode", "filters:text(Hi,0,0,sans-24,red,0,,80p)": "pixels",
		"filters:image(/20x20/a.png,0,0)": `"image"`, "filters:max_frames(5)": "max_frames", "filters:to_colorspace(cmyk)": "cmyk", "filters:raw():attachment()": "raw",
		"filters:autojpg()": `"autojpg"`, "filters:orient(90)": `"orient"`,
		"filters:quality(x)": `"x"`, "filters:quality(NaN)": `"NaN"`, "filters:quality(80)x": "no end", "filters:quality(80)x(": "no end", "filters:quality(80)x()": "no filter", "filters:quality": "no end", "filters:fill(mauve)": `"mauve"`,
		"filters:focal(1)": "focal(1)", "filters:format(../a)": "format",
	} {
		if f := compattest.Refused(reader, "/unsafe/"+path+"/img_1.jpg"); f == nil || f.Kind != fault.Invalid || !strings.Contains(f.Message, says) {
			t.Errorf("%s: %v", path, f)
		}
	}
}

func TestSources(t *testing.T) {
	for path, want := range map[string]string{
		"/unsafe/300x200/smart/https%3A%2F%2Fgithub.com%2Fthumbor%2Fexample.jpg": "https://github.com/thumbor/example.jpg",
		"/unsafe/300x200/https://example.com/a.jpg":                              "https://example.com/a.jpg",
		"/unsafe/filters:noise(http://x/y.png)/a.jpg":                            "",
		"/unsafe/b64:aHR0cHM6Ly9leGFtcGxlLmNvbS9hLmpwZw":                         "https://example.com/a.jpg",
		"/unsafe/300x200/": "",
		"/unsafe":          "",
		"/":                "",
	} {
		a, err := reader.Read(path)
		if want == "" && !fault.Is(err, fault.Invalid) || want != "" && (err != nil || a.Source != want) {
			t.Errorf("%s: %q, %v", path, a.Source, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	a, err := reader.Read("/unsafe/filters:attachment(a b.jpg):expire(1700000001500)/img_1.jpg")
	if err != nil || !a.Attachment || a.Filename != "a b.jpg" || !a.Until.Equal(time.UnixMilli(1700000001500)) {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := reader.Read("/unsafe/filters:expire(1699999999000)/img_1.jpg"); fault.ReasonOf(err) != "ADDRESS_EXPIRED" {
		t.Errorf("an address that has expired: %v", err)
	}
	if a, err := reader.Read("/unsafe/filters:raw()/img_1.jpg"); err != nil || !a.Original {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := reader.Read("/unsafe/filters:watermark(https://x/y.png,0,0,0)/img_1.jpg"); fault.ReasonOf(err) != "SOURCE_UNKNOWN" {
		t.Errorf("a watermark from elsewhere: %v", err)
	}
}

// The addresses are those of https://thumbor.readthedocs.io/en/latest/libraries.html, and agree with
// printf %s 300x200/my.server.com/some/path/to/image.jpg | openssl dgst -sha1 -hmac my-security-key -binary | basenc --base64url
func TestSignatures(t *testing.T) {
	r := Reader{Key: []byte("my-security-key")}
	for _, good := range []string{
		"/8ammJH8D-7tXy6kU3lTvoXlhu4o=/300x200/my.server.com/some/path/to/image.jpg",
		"/8ammJH8D-7tXy6kU3lTvoXlhu4o%3D/300x200/my.server.com/some/path/to/image.jpg",
		"/-2NHpejRK2CyPAm61FigfQgJBxw=/smart/my.server.com/some/path/to/image.jpg",
		"/uvLnA6TJlF-Cc-L8z9pEtfasO3s=/fit-in/my.server.com/some/path/to/image.jpg",
		"/ZZtPCw-BLYN1g42Kh8xTcRs0Qls=/filters:brightness(10):contrast(20)/my.server.com/some/path/to/image.jpg",
		"/ZZtPCw-BLYN1g42Kh8xTcRs0Qls=/filters:brightness%2810%29:contrast%2820%29/my.server.com/some/path/to/image.jpg",
	} {
		if _, err := r.Read(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, reason := range map[string]string{
		"/8ammJH8D-7tXy6kU3lTvoXlhu4o=/300x201/my.server.com/some/path/to/image.jpg": "SIGNATURE_WRONG",
		"/300x200/my.server.com/some/path/to/image.jpg":                              "SIGNATURE_WRONG",
		"/unsafe/300x200/my.server.com/some/path/to/image.jpg":                       "SIGNATURE_MISSING",
	} {
		if _, err := r.Read(bad); !fault.Is(err, fault.Denied) || fault.ReasonOf(err) != reason {
			t.Errorf("%s: %v", bad, err)
		}
	}
	r.Unsigned = true
	if _, err := r.Read("/unsafe/300x200/a.jpg"); err != nil {
		t.Error(err)
	}
}
