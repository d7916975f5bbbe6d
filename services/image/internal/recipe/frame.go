package recipe

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"calotype/kit/fault"
)

// MaxBorder is the widest border, in pixels.
const MaxBorder = 1000

// Frame rounds the corners and puts a border around the picture, which follows them.
type Frame struct {
	Round  bool   // the largest radius
	Radii  [4]int // left upper, right upper, right lower, left lower
	Border int    // the result is larger by it on each side
	Ink    Color  // of the border
}

func (Frame) step() {}

func (s Frame) normal() Frame {
	s.Ink, _ = s.Ink.normal()
	return s
}

func checkFrame(s Frame) []fault.Field {
	c := checker{of: "frame"}
	none := [len(s.Radii)]int{}
	switch {
	case s.Round && s.Radii != none:
		c.fault("radii", "the largest radius leaves no other")
	case !s.Round && s.Radii == none && s.Border == 0:
		c.fault("radii", "it needs radii or a border")
	}
	for _, r := range s.Radii {
		if r < 0 || r > MaxSide {
			c.fault("radii", "one radius or four are needed, within 0..%d", MaxSide)
			break
		}
	}
	c.within("border", s.Border, 0, MaxBorder)
	if _, ok := s.Ink.normal(); !ok || (s.Ink != "") != (s.Border > 0) {
		c.fault("ink", `a border and its colour go together: "rrggbb", "rrggbbaa" or "transparent"`)
	}
	return c.fields
}

func (o *options) frame(s Frame) {
	if s.Border > 0 {
		o.text("bo", strconv.Itoa(s.Border)+"px_solid_"+string(s.Ink))
	}
	radii := make([]string, 0, len(s.Radii))
	for _, r := range s.Radii {
		radii = append(radii, strconv.Itoa(r))
	}
	switch same := slices.Compact(slices.Clone(radii)); {
	case s.Round:
		o.text("r", "max")
	case len(same) > 1:
		o.text("r", strings.Join(radii, ":"))
	case same[0] != "0":
		o.text("r", same[0])
	}
}

var border = regexp.MustCompile(`^([0-9]{1,9})px_solid_(.+)$`)

// frame reads r_20, r_20:0:40:0 or r_max, and bo_4px_solid_rrggbb.
func (p *parser) frame(t part) {
	var s Frame
	before := len(p.fields)
	if o, ok := t.options["r"]; ok {
		p.radii(o, &s)
	}
	if o, ok := t.options["bo"]; ok {
		m := border.FindStringSubmatch(o.value)
		if m == nil {
			p.wrong(o, "a border is written as bo_4px_solid_ff8800 is")
			return
		}
		s.Border, s.Ink = p.integer(o.of(m[1])), p.color(o.of(m[2]))
		if s.Border == 0 && len(p.fields) == before {
			p.wrong(o, "0 is not within 1..%d", MaxBorder)
		}
	}
	if len(p.fields) == before {
		p.add(t, s)
	}
}

func (p *parser) radii(o option, s *Frame) {
	if o.value == "max" {
		s.Round = true
		return
	}
	values := strings.Split(o.value, ":")
	switch len(values) {
	case 1:
		values = slices.Repeat(values, len(s.Radii))
	case len(s.Radii):
	default:
		p.wrong(o, "it has one radius or four, or is r_max")
		return
	}
	before := len(p.fields)
	for i, v := range values {
		if s.Radii[i] = p.integer(o.of(v)); len(p.fields) > before {
			return
		}
	}
	if s.Radii == [len(s.Radii)]int{} {
		p.wrong(o, "0 is not within 1..%d", MaxSide)
	}
}
