package recipe

import (
	"fmt"
	"math"
	"strings"

	"calotype/kit/fault"
)

// step turns one part of the text into steps and output.
func (p *parser) step(t part) {
	p.named(t)
	if t.has("l") {
		p.overlay(t)
		p.output(t)
		return
	}
	p.stray(t)
	p.trim(t)
	p.set(t)
	switch {
	case t.regional():
		p.region(t, t.options["e"])
	case t.has("w", "h", "c", "g", "x", "y", "dpr"):
		p.geometry(t)
	}
	if o, ok := t.options["a"]; ok {
		p.angles(t, o)
	}
	if o, ok := t.options["e"]; ok {
		p.effect(t, o)
	}
	if t.has("r", "bo") {
		p.frame(t)
	}
	p.output(t)
}

func (p *parser) geometry(t part) {
	size := p.size(t)
	c := t.options["c"]
	if c.key != "" && !member(c.value, cropModes) {
		p.wrong(c, "%s", wrongWord("mode", c.value, cropModes))
		return
	}
	gravity, focus, boxes, ok := p.gravity(t)
	if !ok {
		return
	}
	switch {
	case size == nil:
	case c.value == "crop":
		s := Crop{Width: size["w"], Height: size["h"], X: size["x"], Y: size["y"], Gravity: gravity, Focus: focus, Boxes: boxes}
		if s.Gravity == "" && t.has("x", "y") {
			s.Gravity = XY
		}
		p.add(t, s)
	default:
		for _, key := range []string{"x", "y"} {
			if o, there := t.options[key]; there && gravity != XYCenter && !offset(Mode(c.value), gravity) {
				p.wrong(o, "x_ and y_ go with c_crop, with g_xy_center, and with a place, as g_north is, of c_fill, c_lfill, c_thumb, c_pad and c_lpad")
				return
			}
		}
		s := Resize{Mode: Mode(c.value), Width: size["w"], Height: size["h"], Gravity: gravity, Focus: focus, Boxes: boxes, X: size["x"], Y: size["y"]}
		if b := t.options["b"]; s.Mode.Pads() && b.value == string(Blurred) {
			s.Background = Blurred
		} else if s.Mode.Pads() {
			s.Background = p.color(b)
		}
		p.add(t, s)
	}
}

// size reads the lengths, multiplied by dpr; nil when one is no number.
func (p *parser) size(t part) map[string]int {
	before, factor := len(p.fields), 1.0
	if o, ok := t.options["dpr"]; ok {
		if factor = p.factor(o); !t.has("w", "h") {
			p.wrong(o, "dpr_ multiplies the w_ and h_ of its step, and there are none")
		}
	}
	size, device := map[string]int{}, p.autoWidth(t)
	for _, key := range []string{"w", "h", "x", "y"} {
		place := key == "x" || key == "y"
		if o, ok := t.options[key]; ok && !(place && t.options["g"].value == string(XYCenter)) {
			n := math.Round(float64(p.length(t, o)) * factor)
			if key == "w" && device {
				n = float64(p.integer(t.options[key]))
			}
			size[key] = int(n)
			if !place && n < 1 && len(p.fields) == before {
				p.wrong(o, "%d is not within 1..%d", size[key], MaxSide)
			}
		}
	}
	if len(p.fields) > before {
		return nil
	}
	return size
}

// length reads a length in pixels; an offset may be negative.
func (p *parser) length(t part, o option) int {
	text, negative := strings.CutPrefix(o.value, "-")
	if !negative || o.key != "x" && o.key != "y" || t.regional() || !Mode(t.options["c"].value).framed() {
		return p.integer(o)
	}
	before := len(p.fields)
	n := p.integer(o.of(text))
	if len(p.fields) > before {
		p.fields = p.fields[:before]
		p.wrong(o, "%.80q is no whole number", o.value)
	}
	return -n
}

// regional reports whether the lengths of a step are those of its effect's region.
func (p part) regional() bool {
	word, _ := p.options["e"].values()
	return member(word, regional)
}

func (p *parser) angles(t part, o option) {
	var flip Flip
	flush := func() {
		if flip != (Flip{}) {
			p.add(t, flip)
		}
		flip = Flip{}
	}
	for word := range strings.SplitSeq(o.value, ".") {
		switch word {
		case "90", "180", "270", "-90", "-180", "-270":
			flush()
			p.add(t, Rotate{Angle: map[string]int{"90": 90, "180": 180, "270": 270, "-90": 270, "-180": 180, "-270": 90}[word]})
		case "hflip":
			if flip.Horizontal {
				flush()
			}
			flip.Horizontal = true
		case "vflip":
			if flip.Vertical {
				flush()
			}
			flip.Vertical = true
		default:
			p.wrong(o, "%s", wrongWord("angle", word, turns))
		}
	}
	flush()
}

// keyOf says which option a field of a step comes from.
var keyOf = map[string]string{
	"width": "w", "height": "h", "mode": "c", "gravity": "g", "background": "b", "x": "x", "y": "y", "angle": "a", "direction": "a", "sigma": "e",
	"effect": "e", "amount": "e", "color": "e", "light": "e", "red": "e", "green": "e", "blue": "e", "matrix": "e", "size": "e", "tolerance": "e", "from": "e", "to": "e", "stop": "e", "gradient.angle": "e", "boxes": "g", "focus": "g", "focus.x": "x", "focus.y": "y",
	"region.width": "w", "region.height": "h", "region.x": "x", "region.y": "y", "radii": "r", "border": "bo", "ink": "bo",
	"image_id": "l", "digest": "l", "text.text": "l", "text.font": "l", "text.size": "l", "text.align": "l", "text.color": "co", "text.background": "b",
	"text.width": "w", "opacity": "o", "tiled": "fl", "mask": "fl",
	"format": "f", "quality": "q", "lossless": "fl", "progressive": "fl", "palette": "fl", "chroma": "fl", "page": "pg", "auto_quality": "q", "max_bytes": "bytes", "color_space": "cs",
}

// add takes a step, unless something is wrong with it.
func (p *parser) add(t part, s Step) {
	p.v.Steps = append(p.v.Steps, s)
	p.report(checkStep(s), t.step, t.options)
}

// report tells what Check found in the words of the grammar.
func (p *parser) report(fields []fault.Field, step int, options map[string]option) {
	for _, f := range fields {
		_, name, _ := strings.Cut(f.Path, ".")
		list, _, _ := strings.Cut(name, "[")
		key, special := keyOf[f.Path]
		if !special {
			key = keyOf[list]
		}
		o, there := options[key]
		if !there && name == "chroma" { // it was said as in q_80:444
			o, there = options["q"]
		}
		if !there {
			p.fields = append(p.fields, fault.Field{Path: fmt.Sprintf("options[%d].%s", step, key), Message: fmt.Sprintf("step %d: %s (%s_)", step+1, f.Message, key)})
			continue
		}
		if dpr, ok := options["dpr"]; ok && (key == "w" || key == "h") {
			f.Message += ", with " + dpr.String()
		}
		p.wrong(o, "%s", f.Message)
	}
}
