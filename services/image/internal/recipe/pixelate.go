package recipe

import (
	"strconv"

	"calotype/kit/fault"
)

// Limits of Pixelate, in pixels.
const (
	MinSquare, MaxSquare = 2, 500
	DefaultSquare        = 5
)

// Pixelate makes squares of one colour each. A Region of no size is the whole picture.
type Pixelate struct {
	Size   int
	Region Region
}

// Region is a part of a picture, in its pixels.
type Region struct{ X, Y, Width, Height int }

func (Pixelate) step() {}

func (s Pixelate) normal() Pixelate {
	if s.Size == 0 {
		s.Size = DefaultSquare
	}
	return s
}

func checkPixelate(s Pixelate) []fault.Field {
	c := checker{of: "pixelate"}
	if s.Size != 0 {
		c.within("size", s.Size, MinSquare, MaxSquare)
	}
	if r := s.Region; r != (Region{}) {
		c.within("region.width", r.Width, 1, MaxSide)
		c.within("region.height", r.Height, 1, MaxSide)
		c.within("region.x", r.X, 0, MaxOffset)
		c.within("region.y", r.Y, 0, MaxOffset)
	}
	return c.fields
}

func (o *options) pixelate(s Pixelate) {
	if s.Region == (Region{}) {
		o.text("e", "pixelate:"+strconv.Itoa(s.Size))
		return
	}
	o.text("e", pixelateRegion+":"+strconv.Itoa(s.Size))
	o.text("x", strconv.Itoa(s.Region.X))
	o.text("y", strconv.Itoa(s.Region.Y))
	o.number("w", s.Region.Width)
	o.number("h", s.Region.Height)
}

// pixelateRegion is the effect whose step has the region where others have a size.
const pixelateRegion = "pixelate_region"

func (p *parser) pixelate(t part, o option, values []string, r Region) {
	s := Pixelate{Size: DefaultSquare, Region: r}
	if len(values) > 1 {
		p.wrong(o, "it has one value: the side of a square in pixels, as in e_pixelate:12")
		return
	}
	if len(values) == 1 {
		before := len(p.fields)
		if s.Size = p.integer(o.of(values[0])); len(p.fields) > before {
			return
		}
		if s.Size == 0 {
			p.wrong(o, "0 is not within %d..%d", MinSquare, MaxSquare)
			return
		}
	}
	p.add(t, s)
}

// region reads a step of e_pixelate_region, x_, y_, w_ and h_.
func (p *parser) region(t part, o option) {
	for _, key := range []string{"c", "g"} {
		if other, there := t.options[key]; there {
			p.wrong(other, "in the step of e_%s, x_, y_, w_ and h_ are the region's, and nothing is resized; part the steps by a slash", pixelateRegion)
			return
		}
	}
	if !t.has("w") || !t.has("h") {
		p.wrong(o, "it needs the region: x_, y_, w_ and h_")
		return
	}
	if size := p.size(t); size != nil {
		_, values := o.values()
		p.pixelate(t, o, values, Region{X: size["x"], Y: size["y"], Width: size["w"], Height: size["h"]})
	}
}
