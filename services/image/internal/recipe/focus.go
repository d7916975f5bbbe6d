package recipe

import (
	"math"
	"strings"
)

// Point is a place in a picture, for the gravity XYCenter: parts of its width and height, 0..1, or Pixels.
type Point struct {
	X, Y   float64
	Pixels bool
}

// In gives the place in a picture of a size.
func (p Point) In(w, h float64) (x, y float64) {
	if p.Pixels {
		return p.X, p.Y
	}
	return p.X * w, p.Y * h
}

func (p Point) normal() Point {
	if p.Pixels {
		p.X, p.Y = math.Round(p.X), math.Round(p.Y)
	}
	p.X, p.Y = micro(p.X), micro(p.Y)
	return p
}

// point checks the place that goes with one gravity, and with no other.
func (c *checker) point(p Point, g Gravity) {
	if g != XYCenter {
		if p != (Point{}) {
			c.fault("focus", "a point goes with gravity %q", XYCenter)
		}
		return
	}
	most := 1.0
	if p.Pixels {
		most = MaxOffset
	}
	for i, v := range []float64{p.X, p.Y} {
		if !(v >= 0 && v <= most) { // so that NaN is wrong too
			c.fault([]string{"focus.x", "focus.y"}[i], "%g is not within 0..%g", v, most)
		}
	}
}

// point writes a place: parts have a point, pixels have none.
func (o *options) point(p Point) {
	o.text("x", place(p.X, p.Pixels))
	o.text("y", place(p.Y, p.Pixels))
}

func place(v float64, pixels bool) string {
	text := decimal(v)
	if !pixels && !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// point reads the x_ and y_ of g_xy_center; dpr_ does not multiply a place in what is there already.
func (p *parser) point(t part) (Point, bool) {
	x, y := t.options["x"], t.options["y"]
	if x.key == "" || y.key == "" {
		p.wrong(t.options["g"], "it needs x_ and y_: pixels, or parts of the width and height as 0.5 is")
		return Point{}, false
	}
	before := len(p.fields)
	pixels := integers.MatchString(x.value)
	if pixels != integers.MatchString(y.value) {
		p.wrong(y, "%s is of the other kind: both are pixels, or both are parts as 0.5 is", x)
		return Point{}, false
	}
	at := Point{X: p.decimal(x, 0, math.Inf(1)), Y: p.decimal(y, 0, math.Inf(1)), Pixels: pixels}
	return at, len(p.fields) == before
}
