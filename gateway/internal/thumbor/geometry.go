package thumbor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"calotype/gateway/internal/compat"
)

// request is what a path asks for.
type request struct {
	trim                 bool
	trimFrom, tolerance  string
	region               []string // left, top, right, bottom
	fit, adaptive, full  bool
	stretch              bool
	width, height        string // digits, "orig" or nothing
	flipX, flipY         bool
	margins              []string // left, top, and right, bottom unless they are the same
	horizontal, vertical string
	smart                bool

	upscale, noUpscale bool
	proportion         float64 // 0 is 1
	focal              *focal
	fill               string // a colour, "blurred" or nothing
	ground             string // what shows through
	effects            []effect
	space              string
	filename           string
	attachment, raw    bool
	until              time.Time
	reader             Reader
	format             string
	quality, maxBytes  int
	page               int
}

// effect adds the steps of a filter.
type effect func(*compat.Steps) error

// focal is the middle of what is to be kept: pixels of the image, or parts of it.
type focal struct {
	x, y   float64
	pixels bool
}

// translate does what thumbor does, in its order: trim, cut out, resize, mirror, filters.
func (q *request) translate(size compat.Size) (string, error) {
	s := &compat.Steps{Size: size}
	if q.trim {
		if err := q.trimmed(s); err != nil {
			return "", err
		}
	}
	left, top, err := q.cut(s)
	if err != nil {
		return "", err
	}
	if err := q.resize(s, left, top); err != nil {
		return "", err
	}
	s.Flip(q.flipX, q.flipY)
	if err := q.pad(s); err != nil {
		return "", err
	}
	for _, add := range q.effects {
		if err := add(s); err != nil {
			return "", err
		}
	}
	if q.space != "" {
		s.Output("cs_" + q.space)
	}
	if q.ground != "" {
		s.Output("b_" + q.ground)
	}
	s.Encode(q.format, q.quality, q.maxBytes)
	if q.page > 0 {
		s.Output(compat.Named("pg", q.page))
	}
	return s.String(), nil
}

func (q *request) trimmed(s *compat.Steps) error {
	if q.trimFrom == "bottom-right" {
		return compat.Refuse("trim:bottom-right")
	}
	n := 1.0 // thumbor's distance is one in a cube of colours, Calotype's that of each
	if q.tolerance != "" {
		t, _ := strconv.Atoi(q.tolerance)
		n = min(100, max(1, math.Round(float64(t)/math.Sqrt(3))))
	}
	s.Add("e_trim:" + compat.Decimal(n))
	s.Forget()
	return nil
}

// cut is the manual crop; it gives where the part begins. A crop of nothing is passed over, as thumbor does.
func (q *request) cut(s *compat.Steps) (left, top float64, err error) {
	if q.region == nil {
		return 0, 0, nil
	}
	var edge [4]float64
	for i, text := range q.region {
		if edge[i], err = strconv.ParseFloat(text, 64); err != nil {
			return 0, 0, compat.Wrong("%q is no number", text)
		}
		if strings.Contains(text, ".") && edge[i] <= 1 { // imagor takes parts, too
			wide, high, err := s.Measured()
			if err != nil {
				return 0, 0, err
			}
			edge[i] *= []float64{wide, high}[i%2]
		}
		edge[i] = math.Round(edge[i])
	}
	if s.Width > 0 {
		edge[2], edge[3] = min(edge[2], float64(s.Width)), min(edge[3], float64(s.Height))
	}
	if edge[0] >= edge[2] || edge[1] >= edge[3] {
		return 0, 0, nil
	}
	left, top = edge[0], edge[1]
	s.Crop(int(edge[2]-left), int(edge[3]-top), compat.Named("x", int(left)), compat.Named("y", int(top)))
	return left, top, nil
}

func (q *request) resize(s *compat.Steps, left, top float64) error {
	w, err := q.side(s, q.width, 0)
	if err != nil {
		return err
	}
	h, err := q.side(s, q.height, 1)
	if err != nil || w == 0 && h == 0 {
		return err
	}
	switch {
	case q.fit && (q.adaptive || q.full):
		return q.measured(s, w, h)
	case q.fit && q.fill != "" && w > 0 && h > 0:
		mode := "c_lpad"
		if q.upscale {
			mode = "c_pad"
		}
		s.Pad(mode, w, h, "b_"+q.fill)
		return nil
	case q.fit:
		s.Within(w, h, q.upscale)
		return nil
	case w == 0 || h == 0:
		s.Within(w, h, !q.noUpscale)
		return nil
	}
	if q.stretch && q.noUpscale {
		wide, high, err := s.Measured()
		if err != nil {
			return err
		}
		w, h = min(w, int(wide)), min(h, int(high))
	}
	switch {
	case q.stretch:
		s.Scale(w, h)
		return nil
	case q.noUpscale:
		s.LimitFill(w, h, q.place(left, top)...)
		return nil
	}
	s.Fill(w, h, q.place(left, top)...)
	return nil
}

// side reads a length, with proportion() in it.
func (q *request) side(s *compat.Steps, text string, which int) (int, error) {
	if text == "orig" {
		wide, high, err := s.Measured()
		return int([]float64{wide, high}[which]), err
	}
	n, _ := strconv.Atoi(text)
	if q.proportion > 0 && n > 0 {
		n = compat.Whole(float64(n) * q.proportion)
	}
	return n, nil
}

// measured is what of fit-in depends on how large the picture is.
func (q *request) measured(s *compat.Steps, w, h int) error {
	wide, high, err := s.Measured()
	if err != nil {
		return err
	}
	if q.adaptive && w > 0 && h > 0 && (wide < high && w > h || wide > high && w < h) {
		w, h = h, w
	}
	if !q.full || w == 0 || h == 0 {
		s.Within(w, h, q.upscale)
		return q.filled(s, w, h)
	}
	by := max(float64(w)/wide, float64(h)/high)
	if q.noUpscale {
		by = min(by, 1)
	}
	s.Scale(compat.Whole(wide*by), compat.Whole(high*by))
	return nil
}

// filled puts a picture that was fitted on a ground of the whole size.
func (q *request) filled(s *compat.Steps, w, h int) error {
	if q.fill == "" || w == 0 || h == 0 {
		return nil
	}
	return s.Canvas(w, h, "b_"+q.fill)
}

// place says what is kept where something is cut off.
func (q *request) place(left, top float64) []string {
	switch {
	case q.focal != nil && q.focal.pixels:
		return []string{"g_xy_center", compat.Named("x", max(0, int(q.focal.x-left))), compat.Named("y", max(0, int(q.focal.y-top)))}
	case q.focal != nil:
		return []string{"g_xy_center", "x_" + compat.Part(q.focal.x), "y_" + compat.Part(q.focal.y)}
	case q.smart:
		return []string{"g_auto"}
	}
	v := map[string]string{"top": "north", "bottom": "south"}[q.vertical]
	h := map[string]string{"left": "west", "right": "east"}[q.horizontal]
	if v == "" && h == "" {
		return nil
	}
	return []string{"g_" + strings.Trim(v+"_"+h, "_")}
}

// pad is imagor's padding around the picture.
func (q *request) pad(s *compat.Steps) error {
	if q.margins == nil {
		return nil
	}
	var n [4]int // left, top, right, bottom
	for i, m := range q.margins {
		if m == "" {
			m = q.margins[i-2]
		}
		n[i], _ = strconv.Atoi(m)
	}
	ink := q.fill
	if ink == "" || ink == "blurred" {
		ink = "transparent"
	}
	return s.Surround(n[1], n[2], n[3], n[0], ink)
}

// focus reads focal(AxB:CxD), whose middle counts, and imagor's focal(X,Y).
func (q *request) focus(f filter) error {
	text := strings.Join(f.args, ",")
	var parts []string
	if m := regions.FindStringSubmatch(text); m != nil {
		parts = m[1:]
	} else if len(f.args) == 2 {
		parts = []string{f.args[0], f.args[1], f.args[0], f.args[1]}
	} else {
		return compat.Wrong("focal(%.80s) is neither AxB:CxD nor X,Y", text)
	}
	var at [4]float64
	most := 0.0
	for i, part := range parts {
		var err error
		if at[i], err = strconv.ParseFloat(part, 64); err != nil || math.IsNaN(at[i]) || at[i] < 0 || at[i] > 65535 {
			return compat.Wrong("focal(%.80s): %.40q is no place", text, part)
		}
		most = max(most, at[i])
	}
	q.focal = &focal{x: (at[0] + at[2]) / 2, y: (at[1] + at[3]) / 2, pixels: most > 1}
	return nil
}

// filling reads fill(color,transparent).
func (q *request) filling(f filter) (err error) {
	if len(f.args) > 0 && f.args[0] == "blur" {
		q.fill = "blurred"
		return nil
	}
	if q.fill, err = f.color(0); err == nil && q.ground == "" {
		q.ground = q.fill
	}
	return err
}
