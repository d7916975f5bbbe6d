package recipe

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits of a Box and of how many there are.
const (
	MaxBoxes             = 32
	MinWeight, MaxWeight = 0.1, 100.0
)

// Box is where something stands that is to be kept, for the gravity Boxes: parts of the width and height, 0..1, or Pixels, in the
// picture as it is before the step.
type Box struct {
	X, Y, Width, Height float64
	Pixels              bool
	Weight              float64 // beside other boxes; 0 means 1
}

// In gives the edges in a picture of a size, which they may go beyond: left, upper, right and lower.
func (b Box) In(w, h float64) (left, top, right, bottom float64) {
	if b.Pixels {
		w, h = 1, 1
	}
	return b.X * w, b.Y * h, (b.X + b.Width) * w, (b.Y + b.Height) * h
}

// Counts is how much a box counts.
func (b Box) Counts() float64 {
	if b.Weight == 0 {
		return 1
	}
	return b.Weight
}

func (b Box) normal() Box {
	for _, v := range []*float64{&b.X, &b.Y, &b.Width, &b.Height} {
		if b.Pixels {
			*v = math.Round(*v)
		}
		*v = micro(*v)
	}
	b.Weight = micro(b.Counts())
	return b
}

// normalBoxes puts boxes in one order: none of them comes first.
func normalBoxes(boxes []Box) []Box {
	if len(boxes) == 0 {
		return nil
	}
	sorted := make([]Box, len(boxes))
	for i, b := range boxes {
		sorted[i] = b.normal()
	}
	slices.SortFunc(sorted, func(a, b Box) int {
		return cmp.Or(strings.Compare(a.text(0), b.text(0)), cmp.Compare(a.Weight, b.Weight))
	})
	return sorted
}

// boxes checks what goes with one gravity, and with no other.
func (c *checker) boxes(boxes []Box, g Gravity) {
	switch {
	case g != Boxes && len(boxes) > 0:
		c.fault("boxes", "boxes go with gravity %q", Boxes)
		return
	case g == Boxes && (len(boxes) == 0 || len(boxes) > MaxBoxes):
		c.fault("boxes", "there are %d boxes; 1..%d are needed", len(boxes), MaxBoxes)
		return
	}
	for i, b := range boxes {
		most := 1.0
		if b.Pixels {
			most = MaxOffset
		}
		for k, v := range []float64{b.X, b.Y, b.Width, b.Height} {
			side := []string{"x", "y", "width", "height"}[k]
			switch {
			case !(v >= 0 && v <= most): // so that NaN is wrong too
				c.fault(fmt.Sprintf("boxes[%d].%s", i, side), "the %s of box %d, %g, is not within 0..%g", side, i+1, v, most)
			case k >= 2 && (micro(v) == 0 || b.Pixels && math.Round(v) == 0):
				c.fault(fmt.Sprintf("boxes[%d].%s", i, side), "box %d has no %s", i+1, side)
			}
		}
		if b.Weight != 0 && !(b.Weight >= MinWeight && b.Weight <= MaxWeight) {
			c.fault(fmt.Sprintf("boxes[%d].weight", i), "the weight of box %d, %g, is not within %g..%g", i+1, b.Weight, MinWeight, MaxWeight)
		}
	}
}

// text writes a box as boxes reads it: parts have a point, pixels have none, and a weight other than usual follows.
func (b Box) text(usual float64) string {
	var out []string
	for _, v := range []float64{b.X, b.Y, b.Width, b.Height} {
		out = append(out, place(v, b.Pixels))
	}
	if usual != 0 && b.Weight != usual {
		out = append(out, "w"+decimal(b.Weight))
	}
	return strings.Join(out, ":")
}

// boxes reads g_boxes:0.1:0.2:0.3:0.4:w2: the left upper corner and the size of each, and how much it counts.
func (p *parser) boxes(o option) ([]Box, bool) {
	_, values := o.values()
	before := len(p.fields)
	var boxes []Box
	for len(values) >= 4 {
		pixels := integers.MatchString(values[0])
		b := Box{Pixels: pixels}
		for i, to := range []*float64{&b.X, &b.Y, &b.Width, &b.Height} {
			if *to = p.decimal(o.of(values[i]), 0, math.Inf(1)); len(p.fields) > before {
				return nil, false
			}
			if integers.MatchString(values[i]) != pixels {
				p.wrong(o, "%s is of another kind than %s: of a box, all are pixels, or all are parts as 0.5 is", values[i], values[0])
				return nil, false
			}
		}
		values = values[4:]
		if len(values) > 0 && strings.HasPrefix(values[0], "w") {
			if b.Weight = p.decimal(o.of(values[0][1:]), MinWeight, MaxWeight); len(p.fields) > before {
				return nil, false
			}
			values = values[1:]
		}
		boxes = append(boxes, b)
	}
	if len(values) > 0 || len(boxes) == 0 {
		p.wrong(o, "a box is four values, its left upper corner and its size, and perhaps its weight, as in g_boxes:0.1:0.2:0.3:0.4:w2")
		return nil, false
	}
	return boxes, true
}
