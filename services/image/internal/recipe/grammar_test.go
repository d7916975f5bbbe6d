package recipe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Variant{
		"":                          {},
		"w_512":                     {Steps: []Step{Resize{Mode: Limit, Width: 512}}},
		"h_512,c_fit":               {Steps: []Step{Resize{Mode: Fit, Height: 512}}},
		"w_512,h_512,c_fill,g_auto": {Steps: []Step{Resize{Mode: Fill, Width: 512, Height: 512, Gravity: Auto}}},
		"c_fill,w_10,h_20,dpr_2.5":  {Steps: []Step{Resize{Mode: Fill, Width: 25, Height: 50, Gravity: Center}}},
		"c_pad,w_9,h_9,b_F00/b_rgb:00ff00": {
			Steps: []Step{Resize{Mode: Pad, Width: 9, Height: 9, Gravity: Center, Background: "ff0000"}}, Output: Output{Background: "00ff00"},
		},
		"c_pad,w_9,h_9,g_south_west,b_transparent": {Steps: []Step{Resize{Mode: Pad, Width: 9, Height: 9, Gravity: SouthWest, Background: Transparent}}},
		"c_scale,w_9,h_8":                          {Steps: []Step{Resize{Mode: Scale, Width: 9, Height: 8}}},
		"c_crop,w_9,h_8,x_0":                       {Steps: []Step{Crop{Width: 9, Height: 8, Gravity: XY}}},
		"c_crop,w_9,h_8,x_1,y_2,dpr_2":             {Steps: []Step{Crop{Width: 18, Height: 16, Gravity: XY, X: 2, Y: 4}}},
		"c_crop,w_9,h_8":                           {Steps: []Step{Crop{Width: 9, Height: 8, Gravity: Center}}},
		"a_-90":                                    {Steps: []Step{Rotate{270}}},
		"a_hflip.vflip":                            {Steps: []Step{Flip{true, true}}},
		"a_hflip/a_vflip":                          {Steps: []Step{Flip{Horizontal: true}, Flip{Vertical: true}}},
		"a_vflip.90.hflip":                         {Steps: []Step{Flip{Vertical: true}, Rotate{90}, Flip{Horizontal: true}}},
		"e_blur:0.5,a_180,w_7":                     {Steps: []Step{Resize{Mode: Limit, Width: 7}, Rotate{180}, Blur{Sigma: 0.5}}},
		"e_sharpen:10":                             {Steps: []Step{Sharpen{10}}},
		"e_contrast:-7.5,w_5":                      {Steps: []Step{Resize{Mode: Limit, Width: 5}, Adjust{Effect: Contrast, Amount: -7.5}}},
		"e_sepia":                                  {Steps: []Step{Adjust{Effect: Sepia, Amount: 80}}},
		"e_sepia:1/e_negate":                       {Steps: []Step{Adjust{Effect: Sepia, Amount: 1}, Adjust{Effect: Negate}}},
		"e_equalize,w_9":                           {Steps: []Step{Resize{Mode: Limit, Width: 9}, Adjust{Effect: Equalize}}},
		"e_rgb:20:-7.5:0":                          {Steps: []Step{Adjust{Effect: RGB, Red: 20, Green: -7.5}}},
		"e_rgb:0:-0:0,f_png":                       {Output: Output{Format: PNG}},
		"e_noise:30,w_9":                           {Steps: []Step{Resize{Mode: Limit, Width: 9}, Adjust{Effect: Noise, Amount: 30}}},
		"e_noise:0,f_png":                          {Output: Output{Format: PNG}},
		"e_convolve:1:2:1:2:-4.5:2:1:2:1":          {Steps: []Step{Convolve{Matrix: []float64{1, 2, 1, 2, -4.5, 2, 1, 2, 1}}}},
		"e_convolve:1:2:1:2:4:2:1:2:1:normalize":   {Steps: []Step{Convolve{Matrix: []float64{1, 2, 1, 2, 4, 2, 1, 2, 1}, Normalize: true}}},
		"e_tint:20:f80":                            {Steps: []Step{Adjust{Effect: Tint, Amount: 20, Color: "ff8800"}}},
		"e_duotone:black:ffeecc":                   {Steps: []Step{Adjust{Effect: Duotone, Amount: 100, Color: "000000", Light: "ffeecc"}}},
		"e_saturation:0,f_png":                     {Output: Output{Format: PNG}},
		"e_pixelate":                               {Steps: []Step{Pixelate{Size: 5}}},
		"e_pixelate:20,w_9":                        {Steps: []Step{Resize{Mode: Limit, Width: 9}, Pixelate{Size: 20}}},
		"e_pixelate_region:20,w_9,h_8,x_1":         {Steps: []Step{Pixelate{Size: 20, Region: Region{X: 1, Width: 9, Height: 8}}}},
		"e_trim:30,w_9":                            {Steps: []Step{Trim{30}, Resize{Mode: Limit, Width: 9}}},
		"w_9/e_trim":                               {Steps: []Step{Resize{Mode: Limit, Width: 9}, Trim{10}}},
		"c_fill,w_9,h_8,g_xy_center,x_0.3,y_1.0":   {Steps: []Step{Resize{Mode: Fill, Width: 9, Height: 8, Gravity: XYCenter, Focus: Point{X: 0.3, Y: 1}}}},
		"c_crop,w_9,h_8,g_xy_center,x_0,y_70":      {Steps: []Step{Crop{Width: 9, Height: 8, Gravity: XYCenter, Focus: Point{Y: 70, Pixels: true}}}},
		"c_thumb,w_9,h_8":                          {Steps: []Step{Resize{Mode: Fill, Width: 9, Height: 8, Gravity: Auto}}},
		"c_thumb,w_9,h_8,g_center,x_-3,y_4":        {Steps: []Step{Resize{Mode: Fill, Width: 9, Height: 8, Gravity: Center, X: -3, Y: 4}}},
		"c_pad,w_9,h_8,g_south_east,x_3,dpr_2":     {Steps: []Step{Resize{Mode: Pad, Width: 18, Height: 16, Gravity: SouthEast, X: 6}}},
		"c_thumb,w_9,h_8,g_entropy":                {Steps: []Step{Resize{Mode: Fill, Width: 9, Height: 8, Gravity: Entropy}}},
		"c_crop,w_9,h_8,g_auto:entropy":            {Steps: []Step{Crop{Width: 9, Height: 8, Gravity: Entropy}}},
		"c_fill,w_9,h_8,g_boxes:0.5:0.0:0.25:1.0":  {Steps: []Step{Resize{Mode: Fill, Width: 9, Height: 8, Gravity: Boxes, Boxes: []Box{{X: 0.5, Width: 0.25, Height: 1, Weight: 1}}}}},
		"c_crop,w_9,h_8,g_boxes:5:6:7:8:w2.5:0.1:0.2:0.3:0.4,dpr_2": {Steps: []Step{Crop{Width: 18, Height: 16, Gravity: Boxes, Boxes: []Box{
			{X: 0.1, Y: 0.2, Width: 0.3, Height: 0.4, Weight: 1}, {X: 5, Y: 6, Width: 7, Height: 8, Pixels: true, Weight: 2.5}}}}},
		"e_gradient:180:transparent:000":          {Steps: []Step{Gradient{Angle: 180, From: Transparent, To: "000000", Stop: 1}}},
		"e_gradient:45:F00:0000ff88:0.25:0.5,w_9": {Steps: []Step{Resize{Mode: Limit, Width: 9}, Gradient{Angle: 45, From: "ff0000", To: "0000ff88", Start: 0.25, Stop: 0.5}}},
		"e_gradient:9:transparent:11223300":       {},
		"e_blur_region:2.5,w_9,h_8,y_1,a_hflip":   {Steps: []Step{Blur{2.5, Region{Y: 1, Width: 9, Height: 8}}, Flip{Horizontal: true}}},
		"c_pad,w_9,h_8,b_blurred":                 {Steps: []Step{Resize{Mode: Pad, Width: 9, Height: 8, Gravity: Center, Background: Blurred}}},
		"r_max":                                   {Steps: []Step{Frame{Round: true}}},
		"r_20,e_negate":                           {Steps: []Step{Adjust{Effect: Negate}, Frame{Radii: [4]int{20, 20, 20, 20}}}},
		"r_20:0:40:0,bo_4px_solid_F00":            {Steps: []Step{Frame{Radii: [4]int{20, 0, 40, 0}, Border: 4, Ink: "ff0000"}}},
		"r_9/bo_1px_solid_rgb:00ff0080":           {Steps: []Step{Frame{Radii: [4]int{9, 9, 9, 9}}, Frame{Border: 1, Ink: "00ff0080"}}},
		"f_jpg,q_1":                               {Output: Output{Format: JPEG, Quality: 1}},
		"f_auto,q_100":                            {Output: Output{Format: Negotiated, Quality: 100}},
		"q_80/w_5/f_webp":                         {Steps: []Step{Resize{Mode: Limit, Width: 5}}, Output: Output{Format: WebP, Quality: 80}},
		"fl_lossless.keep_iptc,f_avif":            {Output: Output{Format: AVIF, Lossless: true, KeepMetadata: true}},
		"fl_best":                                 {Output: Output{Scaling: Best}},
		"q_70:444":                                {Output: Output{Quality: 70, Chroma: Chroma444}},
		"fl_progressive.png8,f_png/pg_3":          {Output: Output{Format: PNG, Progressive: true, Palette: true, Page: 3}},
		"fl_chroma_420,q_90:420,f_avif":           {Output: Output{Format: AVIF, Quality: 90, Chroma: Chroma420}},
		"fl_strip_profile.keep_metadata":          {Output: Output{KeepMetadata: true, StripProfile: true}},
		"cs_p3,f_jpg":                             {Output: Output{Format: JPEG, Space: P3}},
		"cs_srgb":                                 {},
		"b_white":                                 {Output: Output{Background: White}},
		"b_11223344":                              {Output: Output{Background: "11223344"}},
		"b_112233ff":                              {Output: Output{Background: "112233"}},
		"b_11223300":                              {Output: Output{Background: Transparent}},
		strings.Repeat("a_90/", 15) + "a_hflip":   {Steps: append(slicesOf(Rotate{90}, 15), Flip{Horizontal: true})},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Parse(%q): -want +got\n%s", text, d)
		}
	}
}

func slicesOf(s Step, n int) (out []Step) {
	for range n {
		out = append(out, s)
	}
	return out
}

// Each text is wrong in one way; told are the path, and words that the message must hold.
func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string][]string{
		"w_512,h_512,c_fil":                      {"options[0].c", `"c_fil" (step 1, character 13)`, `did you mean "fill"?`},
		"f_png/c_cover,w_1":                      {"options[1].c", `"c_cover" (step 2, character 7)`, `did you mean "fill"?`},
		"c_thumb,w_1":                            {"options[0].h", "thumb needs a height"},
		"c_thumb,w_1,h_1,x_3":                    {"options[0].x", "a place, as g_north is"},
		"c_lfill,h_1":                            {"options[0].w", "lfill needs a width"},
		"c_lpad,w_1,h_1,g_auto":                  {"options[0].g", "gravity of lpad"},
		"c_mfit,w_1,g_north":                     {"options[0].g", "gravity is for fill, lfill, thumb, pad and lpad, not for mfit"},
		"c_mpad,w_1,h_1":                         {"options[0].c", `did you mean "lpad"?`},
		"c_fill,w_1,h_1,x_3,g_auto":              {"options[0].x", "a place, as g_north is"},
		"c_fill,w_1,h_1,x_65536":                 {"options[0].x", "65536 is not within -65535..65535"},
		"c_fill,w_1,h_1,x_--3":                   {"options[0].x", `"--3" is no whole number`},
		"c_crop,w_1,h_1,x_-3":                    {"options[0].x", "no whole number"},
		"c_thumb,w_1,h_1,g_entropie":             {"options[0].g", `no gravity of thumb "entropie"; did you mean "entropy"?`},
		"c_fill,w_1,h_1,g_auto:faces":            {"options[0].g", "only g_boxes and g_auto have values"},
		"c_pad,w_1,h_1,g_entropy":                {"options[0].g", "gravity of pad"},
		"c_fill,w_1,h_1,g_objects":               {"options[0].g", `did you mean "boxes"?`},
		"c_fill,w_1,h_1,g_boxes":                 {"options[0].g", "a box is four values"},
		"c_fill,w_1,h_1,g_boxes:1:2:3":           {"options[0].g", "a box is four values"},
		"c_fill,w_1,h_1,g_boxes:1:2:3:4:5":       {"options[0].g", "a box is four values"},
		"c_fill,w_1,h_1,g_boxes:1:2:3:0.4":       {"options[0].g", "0.4 is of another kind than 1"},
		"c_fill,w_1,h_1,g_boxes:0.1:0.2:0.3:0.0": {"options[0].g", "box 1 has no height"},
		"c_fill,w_1,h_1,g_boxes:0.1:0.2:0.3:1.1": {"options[0].g", "the height of box 1, 1.1, is not within 0..1"},
		"c_fill,w_1,h_1,g_boxes:1:2:3:4:w200":    {"options[0].g", "200 is not within 0.1..100"},
		"c_pad,w_1,h_1,g_boxes:1:2:3:4":          {"options[0].g", "gravity of pad"},
		"c_fill,w_1,h_1,g_boxes:" + strings.Repeat("1:2:3:4:", 32) + "1:2:3:4": {"options[0].g", "there are 33 boxes; 1..32"},
		"e_gradient:90:f00":                      {"options[0].e", "e_gradient:180:transparent"},
		"e_gradient:90:f00:reddish":              {"options[0].e", "no colour"},
		"e_gradient:360:f00:00f":                 {"options[0].e", "360 is not within 0..359"},
		"e_gradient:0:f00:00f:0.5:0.5":           {"options[0].e", "from 0.5 to 0.5"},
		"e_gradient:0:f00:00f:0:0":               {"options[0].e", "it cannot end where it begins"},
		"e_gradient:0:f00:00f:0:1.5":             {"options[0].e", "1.5 is not within 0..1"},
		"e_blur_region:9":                        {"options[0].e", "it needs the region"},
		"e_blur_region:0.1,w_5,h_5":              {"options[0].e", "0.1 is not within 0.3..100"},
		"e_blur_region,w_5,h_5":                  {"options[0].e", "e_blur_region:1.5"},
		"e_blur_region:9,w_5,h_5,c_fill":         {"options[0].c", "in the step of e_blur_region"},
		"e_blur_region:9,w_5,h_5,x_-1":           {"options[0].x", "no whole number"},
		"c_zzzzzz,w_1":                           {"options[0].c", "limit, fit, fill, pad, scale, thumb, lfill, lpad, mfit, crop"},
		"c_fill,w_5,h_5,g_face":                  {"options[0].g", `did you mean "auto"?`},
		"c_pad,w_5,h_5,g_auto":                   {"options[0].g", "gravity of pad"},
		"c_fill,w_5,h_5,g_xy":                    {"options[0].g", "gravity of fill"},
		"c_fit,w_5,g_north":                      {"options[0].g", "not for fit"},
		"c_fill,w_5":                             {"options[0].h", "step 1", "needs a height"},
		"c_fit":                                  {"options[0].w", "needs a width or a height"},
		"c_crop,w_5":                             {"options[0].h", "0 is not within 1..16384"},
		"w_5,x_5":                                {"options[0].x", "c_crop"},
		"c_crop,w_5,h_5,x_1,g_north":             {"options[0].g", "xy"},
		"w_0":                                    {"options[0].w", "0 is not within 1..16384"},
		"w_16385":                                {"options[0].w", "16385 is not within"},
		"w_10000,dpr_2":                          {"options[0].w", "20000 is not within", "dpr_2"},
		"c_fill,w_16000,h_16000":                 {"options[0].w", "more than 100000000 pixels"},
		"w_0.5":                                  {"options[0].w", "only whole numbers"},
		"w_-5":                                   {"options[0].w", "no whole number"},
		"w_99999999999999999999":                 {"options[0].w", "no whole number"},
		"w_":                                     {"options[0].w", "a value is missing"},
		"w":                                      {"options[0].w", "a value is missing"},
		"w_1,w_2":                                {"options[0].w", `"w_1" stands in this step already`},
		"w_1,,h_1":                               {"options[0]", "nothing at step 1, character 5"},
		"w_1/":                                   {"options[1]", "nothing at step 2, character 5"},
		"width_512":                              {"options[0]", `did you mean "w_512"?`},
		"w=512":                                  {"options[0]", `did you mean "w_512"?`},
		"h512":                                   {"options[0]", `did you mean "h_512"?`},
		"dpi_2":                                  {"options[0]", `did you mean "dpr_"?`},
		"zoom_2":                                 {"options[0]", "there are w_, h_, c_"},
		"dpr_2":                                  {"options[0].dpr", "there are none"},
		"w_5,dpr_6":                              {"options[0].dpr", "0.1..5"},
		"w_1,dpr_0.1":                            {"options[0].w", "0 is not within"},
		"a_45":                                   {"options[0].a", `there is no angle "45"`},
		"a_hflop":                                {"options[0].a", `did you mean "hflip"?`},
		"e_blur":                                 {"options[0].e", "e_blur:1.5"},
		"e_blur:0.2":                             {"options[0].e", "0.2 is not within 0.3..100"},
		"e_blur:NaN":                             {"options[0].e", "no number"},
		"e_sharpen:100":                          {"options[0].e", "100 is not within 0.3..10"},
		"e_blurr:3":                              {"options[0].e", `did you mean "blur"?`},
		"e_brightness":                           {"options[0].e", "e_brightness:20"},
		"e_brightnes:3":                          {"options[0].e", `did you mean "brightness"?`},
		"e_greyscale":                            {"options[0].e", `did you mean "grayscale"?`},
		"e_colourful":                            {"options[0].e", "one of blur, sharpen, trim"},
		"e_brightness:101":                       {"options[0].e", "101 is not within -100..100"},
		"e_brightness:--1":                       {"options[0].e", "no number"},
		"e_gamma:0":                              {"options[0].e", "0 is not within 0.1..10"},
		"e_hue:1:2":                              {"options[0].e", "e_hue:90"},
		"e_grayscale:1":                          {"options[0].e", "e_grayscale"},
		"e_sepia:0":                              {"options[0].e", "0 is not within 1..100"},
		"e_equalize:1":                           {"options[0].e", "e_equalize"},
		"e_equalise":                             {"options[0].e", `did you mean "equalize"?`},
		"e_rgb":                                  {"options[0].e", "e_rgb:20:-10:0"},
		"e_rgb:1:2":                              {"options[0].e", "e_rgb:20:-10:0"},
		"e_rgb:1:x:2":                            {"options[0].e", "no number"},
		"e_rgb:1:2:-101":                         {"options[0].e", "-101 is not within -100..100"},
		"e_noise":                                {"options[0].e", "e_noise:30"},
		"e_noise:-1":                             {"options[0].e", "-1 is not within 0..100"},
		"e_convolve":                             {"options[0].e", "e_convolve:0:-1:0"},
		"e_convolve:1:2:1:2:4:2:1:2:normalize":   {"options[0].e", "9 or 25 numbers"},
		"e_convolve:1:2:1:2:4:2:1:2:1001":        {"options[0].e", "1001 is not within -1000..1000"},
		"e_convolve:1:2:1:2:4:2:1:2:NaN":         {"options[0].e", "no number"},
		"e_convolution:1":                        {"options[0].e", `did you mean "convolve"?`},
		"e_tint:red":                             {"options[0].e", "e_tint:50:ff8800"},
		"e_tint:5:red":                           {"options[0].e", "no colour"},
		"e_tint:5:11223344":                      {"options[0].e", "no colour without transparency"},
		"e_duotone:fff":                          {"options[0].e", "e_duotone:001e50:fff0c8"},
		"e_duotone:fff:000:101":                  {"options[0].e", "101 is not within 1..100"},
		"e_trim:0":                               {"options[0].e", "0 is not within 1..100"},
		"e_trim:101":                             {"options[0].e", "101 is not within 1..100"},
		"e_trim:1:2":                             {"options[0].e", "e_trim:10"},
		"c_fill,w_9,h_8,g_xy_center":             {"options[0].g", "it needs x_ and y_"},
		"c_fill,w_9,h_8,g_xy_center,x_5":         {"options[0].g", "it needs x_ and y_"},
		"c_fill,w_9,h_8,g_xy_center,x_5,y_0.5":   {"options[0].y", "both are pixels"},
		"c_fill,w_9,h_8,g_xy_center,x_0.5,y_1.5": {"options[0].y", "1.5 is not within 0..1"},
		"c_fill,w_9,h_8,g_xy_center,x_0.5,y_-1":  {"options[0].y", "no number"},
		"c_pad,w_9,h_8,g_xy_center,x_0.5,y_0.5":  {"options[0].g", "gravity of pad"},
		"c_pad,w_9,h_8,g_xy_center":              {"options[0].g", "gravity of pad"},
		"c_fill,w_9,h_8,g_fp":                    {"options[0].g", `did you mean "xy_center"?`},
		"b_blurred":                              {"options[0].b", "no colour"},
		"e_pixelate:1":                           {"options[0].e", "1 is not within 2..500"},
		"e_pixelate:0":                           {"options[0].e", "0 is not within 2..500"},
		"e_pixelate:2:3":                         {"options[0].e", "e_pixelate:12"},
		"e_pixelise:3":                           {"options[0].e", `did you mean "pixelate"?`},
		"e_pixelate_region:9":                    {"options[0].e", "it needs the region"},
		"e_pixelate_region:9,w_5,h_5,g_auto":     {"options[0].g", "part the steps by a slash"},
		"e_pixelate_region:9,w_5,h_99999":        {"options[0].h", "99999 is not within 1..16384"},
		"r_0":                                    {"options[0].r", "0 is not within 1..16384"},
		"r_1:2":                                  {"options[0].r", "one radius or four"},
		"r_20000":                                {"options[0].r", "within 0..16384"},
		"r_maximum":                              {"options[0].r", "no whole number"},
		"radius_20":                              {"options[0]", `did you mean "r_20"?`},
		"bo_4px_dotted_red":                      {"options[0].bo", "bo_4px_solid_ff8800"},
		"bo_0px_solid_f00":                       {"options[0].bo", "0 is not within 1..1000"},
		"bo_1001px_solid_f00":                    {"options[0].bo", "1001 is not within 0..1000"},
		"bo_4px_solid_reddish":                   {"options[0].bo", "no colour"},
		"f_jpge":                                 {"options[0].f", `did you mean "jpeg"?`},
		"f_webp/f_png":                           {"options[1].f", `"f_webp" stands in step 1 already`},
		"q_0":                                    {"options[0].q", "0 is not within 1..100"},
		"q_101":                                  {"options[0].q", "101 is not within 1..100"},
		"f_png/q_80":                             {"options[1].q", "png takes no quality"},
		"f_jpg,fl_lossless":                      {"options[0].fl", "not for jpeg"},
		"f_webp,q_5,fl_lossless":                 {"options[0].q", "lossless"},
		"f_avif,fl_lossless.chroma_420":          {"options[0].fl", "what is lossless keeps"},
		"cs_p4":                                  {"options[0].cs", `did you mean "p3"?`},
		"f_gif,cs_p3":                            {"options[0].cs", "gif does not"},
		"colorspace_p3":                          {"options[0]", `did you mean "cs_p3"?`},
		"fl_losless":                             {"options[0].fl", `did you mean "lossless"?`},
		"f_webp/fl_progressive":                  {"options[1].fl", "for jpeg and png, not for webp"},
		"f_jpg,fl_png8":                          {"options[0].fl", "for png, not for jpeg"},
		"f_webp,q_80:444":                        {"options[0].q", "for jpeg and avif, not for webp"},
		"f_webp,fl_chroma_444":                   {"options[0].fl", "for jpeg and avif, not for webp"},
		"q_80:422":                               {"options[0].q", `no chroma subsampling "422"; did you mean "420"?`},
		"q_80:444,fl_chroma_420":                 {"options[0].fl", "is 444 already"},
		"fl_interlaced":                          {"options[0].fl", `did you mean "progressive"?`},
		"fl_palete":                              {"options[0].fl", "progressive, png8"},
		"pg_0":                                   {"options[0].pg", "counted from 1"},
		"pg_10001":                               {"options[0].pg", "10001 is not within 0..10000"},
		"pg_1/pg_2":                              {"options[1].pg", `"pg_1" stands in step 1 already`},
		"page_2":                                 {"options[0]", `did you mean "pg_2"?`},
		"b_reddish":                              {"options[0].b", "no colour"},
		"b_12345":                                {"options[0].b", "no colour"},
		strings.Repeat("a_90/", 16) + "a_90":     {"options", "17 operations"},
		strings.Repeat("w", MaxOptions+1):        {"options", "4096"},
	} {
		_, err := Parse(text)
		e := fault.As(err)
		if e == nil || e.Kind != fault.Invalid || e.Reason != "BAD_OPTIONS" || len(e.Fields) != 1 {
			t.Errorf("Parse(%q): %v; want one fault, BAD_OPTIONS", text, err)
			continue
		}
		if e.Fields[0].Path != want[0] {
			t.Errorf("Parse(%q): path %q, want %q (%s)", text, e.Fields[0].Path, want[0], e.Fields[0].Message)
		}
		for _, words := range want[1:] {
			if !strings.Contains(e.Fields[0].Message, words) {
				t.Errorf("Parse(%q): %q does not say %q", text, e.Fields[0].Message, words)
			}
		}
	}
}

func TestParseTellsAllFaultsAtOnce(t *testing.T) {
	_, err := Parse("w_x,c_fil,zz_1/g_auto/e_blur:0/f_what,q_0")
	if e := fault.As(err); e == nil || len(e.Fields) != 8 {
		t.Errorf("want 8 faults: %v", err)
	}
}

func TestParseNamed(t *testing.T) {
	got, err := ParseNamed([]string{"small:w_320,f_webp", "blurred:e_blur:3"})
	want := []Variant{
		{Name: "small", Steps: []Step{Resize{Mode: Limit, Width: 320}}, Output: Output{Format: WebP}},
		{Name: "blurred", Steps: []Step{Blur{Sigma: 3}}},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v -want +got\n%s", err, d)
	}
	_, err = ParseNamed([]string{"w_320", "a:b_1", "ok:w_3", "c:w_1/w_0"})
	e := fault.As(err)
	if e == nil || len(e.Fields) != 3 {
		t.Fatalf("want 3 faults: %v", err)
	}
	for i, path := range []string{"variants[0]", "variants[1].options[0].b", "variants[3].options[1].w"} {
		if e.Fields[i].Path != path {
			t.Errorf("path %q, want %q", e.Fields[i].Path, path)
		}
	}
	if !strings.Contains(e.Fields[2].Message, `variant "c": "w_0" (step 2, character 5)`) {
		t.Errorf("the variant is not named: %s", e.Fields[2].Message)
	}
}
