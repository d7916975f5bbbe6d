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
	c.region(s.Region)
	return c.fields
}

func (o *options) pixelate(s Pixelate) {
	if s.Region == (Region{}) {
		o.text("e", "pixelate:"+strconv.Itoa(s.Size))
		return
	}
	o.text("e", pixelateRegion+":"+strconv.Itoa(s.Size))
	o.region(s.Region)
}

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
