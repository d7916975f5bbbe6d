package recipe

import "strings"

// What goes with modes that cut, and with Crop, beside the places of a compass.
var (
	seeking  = []string{"auto", "entropy", "xy_center", "boxes"}
	cropping = append([]string{"xy"}, seeking...)
)

// Place reports whether a gravity is a place of its own, center included, so that it has an offset.
func (g Gravity) Place() bool { return g == "" || member(string(g), compass) }

// Seeks reports whether a gravity looks at the pixels.
func (g Gravity) Seeks() bool { return g == Auto || g == Entropy }

// Meant gives a Thumb as the Fill that it is.
func (s Resize) Meant() Resize {
	if s.Mode != Thumb {
		return s
	}
	s.Mode = Fill
	if s.Gravity == "" {
		s.Gravity = Auto
	}
	return s
}

// framed reports whether a mode has two sides and a gravity.
func (m Mode) framed() bool { return m.Fills() || m == Thumb || m.Pads() }

// gravity writes where a part is taken, or put.
func (o *options) gravity(g Gravity, focus Point, boxes []Box) {
	switch g {
	case Center:
	case Boxes:
		text := []string{string(Boxes)}
		for _, b := range boxes {
			text = append(text, b.text(1))
		}
		o.text("g", strings.Join(text, ":"))
	case XYCenter:
		o.point(focus)
		fallthrough
	default:
		o.text("g", string(g))
	}
}

// gravity reads g_, and what it has with it: the point of g_xy_center, the boxes of g_boxes, and what g_auto looks for.
func (p *parser) gravity(t part) (g Gravity, focus Point, boxes []Box, ok bool) {
	o, given := t.options["g"]
	word, values := o.values()
	g, ok = Gravity(word), true
	switch mode := t.options["c"].value; {
	case !given:
	case g == Boxes:
		boxes, ok = p.boxes(o)
	case len(values) > 0 && o.value == "auto:entropy":
		g = Entropy
	case len(values) > 0:
		p.wrong(o, `only g_boxes and g_auto have values: boxes, and "entropy"`)
		ok = false
	case g == XYCenter && (mode == "crop" || Mode(mode).Fills() || Mode(mode) == Thumb):
		focus, ok = p.point(t)
	}
	return g, focus, boxes, ok
}

// offset reports whether x_ and y_ shift where a picture is cut, or where it stands on its padding.
func offset(m Mode, g Gravity) bool {
	return m.framed() && g.Place() && (m != Thumb || g != "")
}
