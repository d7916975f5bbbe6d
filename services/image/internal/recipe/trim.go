package recipe

import (
	"strconv"

	"calotype/kit/fault"
)

// Limits of Trim: how far a colour may be from the corner's, of 255.
const (
	MaxTolerance     = 100
	DefaultTolerance = 10
)

// Trim cuts off the edges that have the colour of the left upper corner, or are as transparent as it is.
type Trim struct{ Tolerance int }

func (Trim) step() {}

func (s Trim) normal() Trim {
	if s.Tolerance == 0 {
		s.Tolerance = DefaultTolerance
	}
	return s
}

func checkTrim(s Trim) []fault.Field {
	c := checker{of: "trim"}
	if s.Tolerance != 0 {
		c.within("tolerance", s.Tolerance, 1, MaxTolerance)
	}
	return c.fields
}

func (o *options) trim(s Trim) { o.text("e", "trim:"+strconv.Itoa(s.Tolerance)) }

// trim reads e_trim:10, the one effect that comes before the size of its step.
func (p *parser) trim(t part) {
	o := t.options["e"]
	word, values := o.values()
	if word != "trim" {
		return
	}
	if len(values) > 1 {
		p.wrong(o, "it has one value: how far a colour may be from the corner's, as in e_trim:10")
		return
	}
	s := Trim{Tolerance: DefaultTolerance}
	if len(values) == 1 {
		before := len(p.fields)
		if s.Tolerance = p.integer(o.of(values[0])); s.Tolerance == 0 && len(p.fields) == before {
			p.wrong(o, "0 is not within 1..%d", MaxTolerance)
		}
		if len(p.fields) > before {
			return
		}
	}
	p.add(t, s)
}
