package pipeline

import (
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"calotype/test/likeness"
)

// goldenCase is a picture that is kept: what it is made of, and how.
type goldenCase struct {
	of, options string
	allowed     likeness.Gap      // where codecs differ more from version to version than operations do
	blind       map[string]string // numbers that cannot be seen here, and why
}

// What versions of libvips, 8.14 to 8.18, may differ by: the rounding of a level here and there, which a dark or blue pixel shows most;
// more where pictures were resized, whose sums later versions round otherwise; and much more in what encoders choose to leave out.
var (
	tight   = gap(0.3, 2.8)
	resized = gap(0.6, 3.6)
	asJPEG  = gap(1.4, 15)
	asWebP  = gap(4, 20)
	asAVIF  = gap(6, 25)
	palette = gap(3, 17)
	inks    = gap(10, 18) // the profile that CMYK is taken for where there is none
)

// coarse says why a tenth of a quality is not seen by pictures.
var coarse = map[string]string{".Output.Quality": "versions of encoders differ by more"}

func gap(mean, most float64) likeness.Gap { return likeness.Gap{Mean: mean, Most: most} }

func (c goldenCase) bound() likeness.Gap {
	switch {
	case c.allowed != (likeness.Gap{}):
		return c.allowed
	case strings.Contains(c.options, "_region"), strings.HasPrefix(c.options, "c_crop") && !strings.Contains(c.options, "/"):
		return tight
	case strings.Contains(c.options, "w_") || strings.Contains(c.options, "h_"):
		return resized
	}
	return tight
}

// elsewhere tells what of the grammar has no golden picture, and why.
var elsewhere = map[string]string{
	"f_auto":    "a request's Accept header decides it",
	"f_json":    "it is no picture",
	"f_jxl":     "TestJXLAndTIFF: it is read where it is allowed only",
	"f_tiff":    "TestJXLAndTIFF: to the bit",
	"l":         "another image, or the machine's fonts, would be part of it: the tests of overlays look at every pixel",
	"o":         "it goes with l_",
	"co":        "it goes with l_",
	"fl_tiled":  "it goes with l_",
	"fl_cutter": "it goes with l_",
	"bytes":     "a quality that encoders of other versions reach with other bytes: TestBytes and its like look at the size",
	"t":         "it stands for the options of a preset",
}

// goldenCases has each word of the grammar, in what is made of a chart where nothing else is needed.
var goldenCases = []goldenCase{
	{of: "chart", options: "w_60"}, {of: "chart", options: "h_50"}, {of: "chart", options: "w_30,dpr_1.5"}, {of: "chart", options: "c_limit,w_60,h_33", blind: map[string]string{".Steps[0].Width": "the height decides"}},
	{of: "photo.jpg", options: "w_90"}, {of: "photo.jpg", options: "w_40,h_80,c_scale"},
	{of: "chart", options: "c_fit,w_120"}, {of: "chart", options: "c_scale,w_50,h_60"},
	{of: "chart", options: "c_fill,w_40,h_40"}, {of: "chart", options: "c_fill,w_60,h_24"}, {of: "chart", options: "c_thumb,w_30,h_40"},
	{of: "chart", options: "c_pad,w_80,h_80,b_3060c0"}, {of: "chart", options: "c_pad,w_80,h_80,b_blurred"}, {of: "chart", options: "c_pad,w_70,h_40,b_transparent"},
	{of: "chart", options: "c_pad,w_60,h_60,b_white"}, {of: "chart", options: "c_pad,w_60,h_60,b_3060c080"},
	{of: "chart", options: "c_lfill,w_200,h_40,g_south", blind: map[string]string{".Steps[0].Width": "the picture is no wider"}}, {of: "chart", options: "c_lfill,w_40,h_40,g_west"},
	{of: "chart", options: "c_lpad,w_120,h_90,g_north_west,x_5,b_3060c0"}, {of: "chart", options: "c_lpad,w_120,h_90,b_blurred"}, {of: "chart", options: "c_mfit,w_120,h_90", blind: map[string]string{".Steps[0].Height": "the width decides"}},
	{of: "chart", options: "c_crop,w_50,h_40"}, {of: "chart", options: "c_crop,w_50,h_40,x_30,y_20"}, {of: "chart", options: "c_crop,w_50,h_40,x_0,y_20,g_xy"},
	{of: "chart", options: "c_crop,w_50,h_40,x_30,y_20/w_25"},

	{of: "chart", options: "c_crop,w_40,h_30,g_center"}, {of: "chart", options: "c_crop,w_40,h_30,g_north"}, {of: "chart", options: "c_crop,w_40,h_30,g_north_east"},
	{of: "chart", options: "c_crop,w_40,h_30,g_east"}, {of: "chart", options: "c_crop,w_40,h_30,g_south_east"}, {of: "chart", options: "c_crop,w_40,h_30,g_south"},
	{of: "chart", options: "c_crop,w_40,h_30,g_south_west"}, {of: "chart", options: "c_crop,w_40,h_30,g_west"}, {of: "chart", options: "c_crop,w_40,h_30,g_north_west"},
	{of: "chart", options: "c_crop,w_40,h_30,g_auto"}, {of: "chart", options: "c_crop,w_40,h_30,g_entropy"},
	{of: "photo.jpg", options: "c_thumb,w_48,h_64"}, {of: "photo.jpg", options: "c_fill,w_48,h_64,g_auto:entropy"},
	{of: "chart", options: "c_fill,w_40,h_40,g_xy_center,x_0.6,y_0.5", blind: map[string]string{".Steps[0].Focus.Y": "all of the height is there"}},
	{of: "chart", options: "c_crop,w_40,h_30,g_xy_center,x_40,y_35"},
	{of: "chart", options: "c_fill,w_40,h_40,g_boxes:0.5:0.2:0.2:0.5", blind: map[string]string{".Steps[0].Boxes[0].Y": "all of the height is there",
		".Steps[0].Boxes[0].Height": "all of the height is there", ".Steps[0].Boxes[0].Weight": "it is the only one"}},
	{of: "chart", options: "c_crop,w_40,h_30,g_boxes:50:30:20:20:w2:5:5:10:10", blind: map[string]string{".Steps[0].Boxes[0].Weight": "the heavier one stays so",
		".Steps[0].Boxes[1].Weight": "the heavier one stays so", ".Steps[0].Boxes[1].X": "it is the other that is kept", ".Steps[0].Boxes[1].Y": "it is the other that is kept",
		".Steps[0].Boxes[1].Width": "it is the other that is kept", ".Steps[0].Boxes[1].Height": "it is the other that is kept"}},
	{of: "chart", options: "c_fill,w_40,h_40,g_north_west,x_10"}, {of: "chart", options: "c_pad,w_100,h_90,g_south_east,y_20,b_black"},
	{of: "chart", options: "c_pad,w_120,h_60,g_west,x_10,b_black"},

	{of: "chart", options: "a_90"}, {of: "chart", options: "a_180"}, {of: "chart", options: "a_270"}, {of: "chart", options: "a_hflip"}, {of: "chart", options: "a_vflip"},
	{of: "chart", options: "a_90.hflip"},

	{of: "chart", options: "e_blur:2"}, {of: "chart", options: "e_blur:12"}, {of: "chart", options: "e_sharpen:1"}, {of: "chart", options: "e_sharpen:3"},
	{of: "chart", options: "e_brightness:20"}, {of: "chart", options: "e_contrast:40"}, {of: "chart", options: "e_saturation:-60"}, {of: "chart", options: "e_hue:60"},
	{of: "chart", options: "e_gamma:1.6"}, {of: "chart", options: "e_grayscale"}, {of: "chart", options: "e_negate"}, {of: "chart", options: "e_sepia:70"},
	{of: "chart", options: "e_tint:40:ff8030"}, {of: "chart", options: "e_duotone:103060:ffe0a0"},
	{of: "chart", options: "e_equalize"}, {of: "chart", options: "e_noise:40"}, {of: "chart", options: "e_convolve:-2:-1:0:-1:1:1:0:1:2"}, {of: "chart", options: "e_rgb:40:-30:20"}, {of: "gray.jpg", options: "w_60,e_rgb:0:0:-60"},
	{of: "chart", options: "e_pixelate:10"}, {of: "chart", options: "e_pixelate_region:8,x_20,y_10,w_50,h_40"}, {of: "chart", options: "e_blur_region:4,x_20,y_10,w_50,h_40"},
	{of: "chart", options: "e_gradient:200:transparent:203060e0"}, {of: "chart", options: "e_gradient:60:f0802080:2040c0ff:0.2:0.7"},
	{of: "alpha.png", options: "w_64/e_gradient:120:e04030a0:transparent:0:0.6"},
	{of: "margin", options: "e_trim:30"},

	{of: "chart", options: "r_20"}, {of: "chart", options: "r_max"}, {of: "chart", options: "r_24:10:30:16"}, {of: "chart", options: "bo_10px_solid_c04080"},
	{of: "chart", options: "r_20,bo_10px_solid_20a06080"},

	{of: "chart", options: "cs_p3"}, {of: "chart", options: "c_pad,w_96,h_96,b_20c040/cs_p3"}, {of: "adobergb.jpg", options: "w_60,cs_p3"}, {of: "p3.png", options: "cs_p3"},
	{of: "chart", options: "e_hue:60,cs_srgb"},
	{of: "alpha.png", options: "w_64"}, {of: "alpha.png", options: "w_64,b_3060c0,f_jpeg,q_95", allowed: asJPEG, blind: coarse},
	{of: "alpha.png", options: "w_64,e_blur:3"},
	{of: "adobergb.jpg", options: "w_60"}, {of: "cmyk.jpg", options: "w_60", allowed: inks}, {of: "deep.png", options: "w_60"}, {of: "gray.jpg", options: "w_60,e_tint:50:3060c0"},
	{of: "orientation-6.jpg", options: "w_60"}, {of: "photo.webp", options: "w_60"}, {of: "photo.heic", options: "w_60"}, {of: "photo.avif", options: "w_60"}, {of: "small.tif", options: "w_60"},

	{of: "walk.gif", options: "pg_3,f_png"}, {of: "walk.gif", options: "w_48,f_gif"}, {of: "squares.webp", options: "w_40,f_webp,fl_lossless"},
	{of: "photo.jpg", options: "w_80,f_jpeg,q_60", allowed: asJPEG, blind: coarse}, {of: "photo.jpg", options: "w_80,f_jpeg,q_50:444", allowed: asJPEG, blind: coarse},
	{of: "photo.jpg", options: "w_80,f_jpeg,fl_chroma_444.progressive", allowed: asJPEG}, {of: "photo.jpg", options: "w_80,f_jpeg,fl_chroma_420", allowed: asJPEG},
	{of: "photo.jpg", options: "w_80,f_webp,q_50", allowed: asWebP, blind: coarse}, {of: "photo.jpg", options: "w_80,f_avif,q_50", allowed: asAVIF, blind: coarse},
	{of: "photo.jpg", options: "w_80,f_avif,fl_lossless", allowed: gap(0.8, 3.6)}, {of: "photo.jpg", options: "w_80,fl_best"}, {of: "photo.jpg", options: "w_80,f_png,fl_png8", allowed: palette}, {of: "photo.jpg", options: "w_80,f_jpeg,fl_keep_metadata.strip_profile", allowed: asJPEG},
}

// original is what a case is made of.
func (c goldenCase) original(t testing.TB) []byte {
	switch c.of {
	case "chart":
		return encode(t, chart())
	case "margin":
		return encode(t, margin())
	}
	return load(t, c.of)
}

// chart has what operations change: all hues in many shades, sharp edges at several angles, lines from fine to coarse, a disc that draws
// the eye, and no two parts alike. It is 96 x 64 pixels.
func chart() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 96, 64))
	for i := range 96 * 64 {
		x, y := i%96, i/96
		hue, light := float64(x)/96*2*math.Pi, 0.25+0.6*float64(y)/64
		shade := func(turn float64) uint8 { return uint8(255 * min(max(light+0.25*math.Cos(hue+turn), 0), 1)) }
		c := color.NRGBA{shade(0), shade(2 * math.Pi / 3), shade(4 * math.Pi / 3), 255}
		switch {
		case math.Hypot(float64(x)-66, float64(y)-24) < 13:
			c = color.NRGBA{240, 120, 20, 255}
		case y > 44 && x < 56 && x*(1+x/20)/6%2 == 0:
			c = color.NRGBA{25, 25, 30, 255}
		case x < 30 && y < 36 && (2*x+3*y)/14%3 == 0:
			c = color.NRGBA{235, 235, 225, 255}
		}
		m.SetNRGBA(x, y, c)
	}
	return m
}

// margin is the chart in a margin that fades into it.
func margin() *image.NRGBA {
	m, inner := image.NewNRGBA(image.Rect(0, 0, 126, 94)), chart()
	for i := range 126 * 94 {
		x, y := i%126, i/126
		edge := min(x, y, 125-x, 93-y)
		v := uint8(200 - 4*min(edge, 14))
		m.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
		if p := image.Pt(x-15, y-15); p.In(inner.Bounds()) {
			m.SetNRGBA(x, y, inner.NRGBAAt(p.X, p.Y))
		}
	}
	return m
}
