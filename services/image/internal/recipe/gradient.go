package recipe

import (
	"strconv"

	"calotype/kit/fault"
)

// Gradient lays a colour over the picture that changes from one side to the other, as linear-gradient of CSS does it: the corners
// towards which it goes are where the way begins and ends.
type Gradient struct {
	Angle       int // degrees clockwise from "to the top", 0..359
	From, To    Color
	Start, Stop float64 // parts of the way, between which the colour changes; a Stop of 0 means 1
}

func (Gradient) step() {}

func (s Gradient) normal() Gradient {
	s.From, _ = s.From.normal()
	s.To, _ = s.To.normal()
	s.Start, s.Stop = micro(s.Start), micro(s.Stop)
	if s.Stop == 0 {
		s.Stop = 1
	}
	return s
}

// idle reports whether a normal step lays nothing over the picture.
func (s Gradient) idle() bool { return s.From == Transparent && s.To == Transparent }

func checkGradient(s Gradient) []fault.Field {
	c := checker{of: "gradient"}
	c.within("angle", s.Angle, 0, 359)
	for i, color := range []Color{s.From, s.To} {
		if color == "" {
			c.fault([]string{"from", "to"}[i], "a gradient has two colours")
		}
		c.color([]string{"from", "to"}[i], color)
	}
	s = s.normal()
	if !(s.Start >= 0 && s.Start < s.Stop && s.Stop <= 1) { // so that NaN is wrong too
		c.fault("stop", "it changes from %g to %g of the way, which is no part of 0..1", s.Start, s.Stop)
	}
	return c.fields
}

func (o *options) gradient(s Gradient) {
	text := "gradient:" + strconv.Itoa(s.Angle) + ":" + string(s.From) + ":" + string(s.To)
	if s.Start != 0 || s.Stop != 1 {
		text += ":" + decimal(s.Start) + ":" + decimal(s.Stop)
	}
	o.text("e", text)
}

// gradient reads e_gradient:angle:from:to:start:stop, of which the last two may be left out together.
func (p *parser) gradient(t part, o option, values []string) {
	if len(values) != 3 && len(values) != 5 {
		p.wrong(o, "it has an angle, two colours, and perhaps the parts of the way between which they change, as in e_gradient:180:transparent:000000cc:0.5:1")
		return
	}
	before := len(p.fields)
	s := Gradient{Angle: p.integer(o.of(values[0])), From: p.color(o.of(values[1])), To: p.color(o.of(values[2])), Stop: 1}
	if len(values) == 5 {
		s.Start, s.Stop = p.decimal(o.of(values[3]), 0, 1), p.decimal(o.of(values[4]), 0, 1)
		if s.Stop == 0 && len(p.fields) == before {
			p.wrong(o, "it cannot end where it begins")
		}
	}
	if len(p.fields) == before {
		p.add(t, s)
	}
}
