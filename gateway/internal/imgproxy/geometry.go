package imgproxy

import (
	"math"
	"strings"

	"calotype/gateway/internal/compat"
)

// translate does what imgproxy does, in its order: trim, turn, cut out, resize, cut to size, effects, extend, pad.
func (o pipeline) translate(s *compat.Steps) error {
	if o.trim > 0 {
		if o.trim > 100 {
			return compat.Refuse("imgproxy's trim with a threshold above 100")
		}
		s.Add("e_trim:" + compat.Decimal(float64(o.trim)))
		s.Forget()
	}
	s.Rotate(o.rotate)
	s.Flip(o.flipX, o.flipY)
	if o.crop != nil {
		if err := o.cut(s); err != nil {
			return err
		}
	}
	density, err := o.resize(s)
	if err != nil {
		return err
	}
	if err := o.effects.add(s); err != nil {
		return err
	}
	if err := o.extended(s, density); err != nil {
		return err
	}
	if err := o.pad(s, density); err != nil {
		return err
	}
	return o.watermark.add(s, density)
}

// cut is imgproxy's crop, which comes before the size.
func (o pipeline) cut(s *compat.Steps) error {
	g := o.crop.at
	if g.kind == "" {
		g = o.gravity
	}
	w, h := o.crop.width, o.crop.height
	if w < 1 || h < 1 {
		all, high, err := s.Measured()
		if err != nil {
			return err
		}
		w, h = part(w, all), part(h, high)
	}
	if o.cropAspect > 0 {
		all, high, err := s.Measured()
		if err != nil {
			return err
		}
		w, h = o.corrected(w, h, all, high)
	}
	return g.crop(s, compat.Whole(w), compat.Whole(h), 1)
}

// corrected brings a part of a picture to an aspect ratio, by making it smaller, or where that is asked for larger, as far as the
// picture goes.
func (o pipeline) corrected(w, h, wide, high float64) (float64, float64) {
	if (w > h*o.cropAspect) == o.cropEnlarge {
		h = w / o.cropAspect
	} else {
		w = h * o.cropAspect
	}
	by := min(1, wide/w, high/h)
	return w * by, h * by
}

// part reads a length that may be a part of the whole, or all of it.
func part(length, whole float64) float64 {
	switch {
	case length == 0:
		return whole
	case length < 1:
		return length * whole
	}
	return length
}

// resize gives the density that is reached: dpr, where nothing is enlarged by it that should not be.
func (o pipeline) resize(s *compat.Steps) (density float64, err error) {
	dpr, zoomX, zoomY := or(o.dpr), or(o.zoomX), or(o.zoomY)
	plain := o.minWidth == 0 && o.minHeight == 0 && zoomX == 1 && zoomY == 1
	w, h := whole(o.width*dpr), whole(o.height*dpr)
	one := (o.width == 0) != (o.height == 0)
	extends := o.extend.on || len(o.padding) > 0 || o.watermark.x != 0 || o.watermark.y != 0 // they need to know the density
	switch {
	case o.width == 0 && o.height == 0 && plain && dpr == 1:
		return 1, nil
	case plain && (dpr == 1 || o.enlarge || !extends) && (o.kind == "" || o.kind == "fit" || one && o.kind != "force"):
		s.Within(w, h, o.enlarge)
		return dpr, nil
	case plain && o.enlarge && o.width > 0 && o.height > 0 && o.kind == "force":
		s.Scale(w, h)
		return dpr, nil
	case plain && o.enlarge && o.width > 0 && o.height > 0 && (o.kind == "fill" || o.kind == "fill-down") && o.gravity.centred():
		s.Fill(w, h, o.gravity.place()...)
		return dpr, nil
	case plain && !o.enlarge && o.width > 0 && o.height > 0 && o.kind == "fill" && dpr == 1 && o.gravity.centred():
		s.LimitFill(w, h, o.gravity.place()...)
		return dpr, nil
	}
	return o.measured(s, dpr, zoomX, zoomY)
}

// measured is the size that depends on how large the picture is.
func (o pipeline) measured(s *compat.Steps, dpr, zoomX, zoomY float64) (density float64, err error) {
	wide, high, err := s.Measured()
	if err != nil {
		return 0, err
	}
	across, down := o.shrink(wide, high)
	across, down = across/zoomX, down/zoomY
	if !o.enlarge {
		if least := min(across, down); least < 1 {
			across, down = across/least, down/least
		}
		dpr = min(dpr, across, down)
	}
	if o.minWidth > 0 && wide/across < o.minWidth {
		across, down = wide/o.minWidth, down*wide/o.minWidth/across
	}
	if o.minHeight > 0 && high/down < o.minHeight {
		across, down = across*high/o.minHeight/down, high/o.minHeight
	}
	across, down = across/dpr, down/dpr
	s.Scale(compat.Whole(wide/across), compat.Whole(high/down))

	w, h := float64(s.Width), float64(s.Height)
	if o.width > 0 {
		w = o.width * zoomX * dpr
	}
	if o.height > 0 {
		h = o.height * zoomY * dpr
	}
	if o.kind == "fill-down" {
		if x, y := w/float64(s.Width), h/float64(s.Height); max(x, y) > 1 {
			w, h = w/max(x, y), h/max(x, y)
		}
	}
	return dpr, o.gravity.crop(s, compat.Whole(w), compat.Whole(h), dpr)
}

// shrink gives the factors by which the picture becomes smaller.
func (o pipeline) shrink(wide, high float64) (across, down float64) {
	across, down = 1, 1
	if o.width > 0 {
		across = wide / o.width
	}
	if o.height > 0 {
		down = high / o.height
	}
	kind := o.kind
	if kind == "auto" {
		if kind = "fit"; (wide >= high) == (o.width >= o.height) {
			kind = "fill"
		}
	}
	switch {
	case kind == "force":
	case o.width == 0:
		across = down
	case o.height == 0:
		down = across
	case kind == "fill" || kind == "fill-down":
		across = min(across, down)
		down = across
	default:
		across = max(across, down)
		down = across
	}
	return across, down
}

func (o pipeline) extended(s *compat.Steps, density float64) error {
	for _, c := range []struct {
		canvas
		aspect bool
	}{{o.extend, false}, {o.extendAspect, true}} {
		if !c.on || o.width == 0 && o.height == 0 || c.aspect && (o.width == 0 || o.height == 0) {
			continue
		}
		wide, high, err := s.Measured()
		if err != nil {
			return err
		}
		w, h := o.width*or(o.zoomX)*density, o.height*or(o.zoomY)*density
		if c.aspect {
			by := max(wide/w, high/h)
			w, h = w*by, h*by
		}
		place := c.at.shifted(wide, high, density)
		if o.background != "" {
			place = append(place, "b_"+o.background)
		}
		if err := s.Canvas(whole(w), whole(h), place...); err != nil {
			return err
		}
	}
	return nil
}

func (o pipeline) pad(s *compat.Steps, density float64) error {
	if len(o.padding) == 0 {
		return nil
	}
	ink := "transparent"
	if o.background != "" {
		ink = o.background
	}
	var n [4]int
	for i, side := range o.padding {
		n[i] = whole(float64(side) * density)
	}
	return s.Surround(n[0], n[1], n[2], n[3], ink)
}

// shifted says a place with its offset: pixels, or parts of the picture.
func (g gravity) shifted(wide, high, density float64) []string {
	place := gravity{kind: g.kind}.place()
	for _, by := range []struct {
		key          string
		offset, side float64
	}{{"x", g.x, wide}, {"y", g.y, high}} {
		n := by.offset * density
		if math.Abs(by.offset) < 1 {
			n = by.offset * by.side
		}
		if n := int(math.Round(n)); n != 0 {
			place = append(place, compat.Named(by.key, n))
		}
	}
	return place
}

// centred reports whether the place is one that Calotype has, without an offset.
func (g gravity) centred() bool { return g.kind == "sm" || g.kind == "fp" || g.x == 0 && g.y == 0 }

// place says it in options.
func (g gravity) place() []string {
	switch g.kind {
	case "", "ce":
		return nil
	case "sm":
		return []string{"g_auto"}
	case "fp":
		return []string{"g_xy_center", "x_" + compat.Part(g.x), "y_" + compat.Part(g.y)}
	}
	return []string{"g_" + compass[g.kind]}
}

// crop cuts out what is kept; absolute offsets are multiplied by the density.
func (g gravity) crop(s *compat.Steps, w, h int, density float64) error {
	if g.centred() {
		s.Crop(w, h, g.place()...)
		return nil
	}
	wide, high, err := s.Measured()
	if err != nil {
		return err
	}
	w, h = min(w, int(wide)), min(h, int(high))
	left := offset(g.x, wide, float64(w), density, strings.HasSuffix(g.kind, "we"), strings.HasSuffix(g.kind, "ea"))
	top := offset(g.y, high, float64(h), density, strings.HasPrefix(g.kind, "no"), strings.HasPrefix(g.kind, "so"))
	s.Crop(w, h, compat.Named("x", left), compat.Named("y", top))
	return nil
}

// offset gives where a part begins in a whole; offsets of less than 1 are parts of the whole, and go inwards from its edges.
func offset(by, whole, length, density float64, first, last bool) int {
	if math.Abs(by) < 1 {
		by *= whole
	} else {
		by *= density
	}
	from := (whole-length)/2 + by
	if first {
		from = by
	} else if last {
		from = whole - length - by
	}
	return int(math.Round(max(0, min(from, whole-length))))
}

func or(f float64) float64 {
	if f == 0 {
		return 1
	}
	return f
}

// whole rounds to pixels; 0 stays, as it has a meaning of its own.
func whole(f float64) int {
	if f == 0 {
		return 0
	}
	return compat.Whole(f)
}
