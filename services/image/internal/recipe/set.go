package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"calotype/kit/fault"
)

// A set is a variant with Widths: the same picture in several widths, as a page's srcset wants it.

// first finds the step that a set's widths are those of: the first Resize.
func first(steps []Step) int {
	return slices.IndexFunc(steps, func(s Step) bool { _, ok := s.(Resize); return ok })
}

// normalSet gives a set the form that the grammar can write: there is a Resize, and its width is one of the set's, so that a
// height means the same in both. The largest is taken, where rounding is least.
func (v Variant) normalSet() Variant {
	if len(v.Widths) == 0 {
		return v
	}
	v.Widths = slices.Clone(v.Widths)
	i := first(v.Steps)
	if i < 0 {
		v.Steps = slices.Insert(slices.Clone(v.Steps), 0, Step(Resize{Mode: Limit, Width: v.Widths[0]}))
		return v
	}
	r := v.Steps[i].(Resize)
	switch largest := v.Widths[len(v.Widths)-1]; {
	case r.Height == 0:
		r.Width = v.Widths[0]
	case r.Width != 0 && !slices.Contains(v.Widths, r.Width):
		r.Width, r.Height = largest, inProportion(r, largest)
	}
	v.Steps[i] = r
	return v
}

// inProportion is the height that goes with a width.
func inProportion(r Resize, width int) int {
	if r.Height == 0 || r.Width == 0 {
		return r.Height
	}
	return max(1, int(math.Round(float64(r.Height)*float64(width)/float64(r.Width))))
}

// each gives the variants that a set stands for, and the variant itself where it is none.
func (v Variant) each() []Variant {
	if len(v.Widths) == 0 {
		return []Variant{v}
	}
	v = v.normal()
	i := first(v.Steps)
	var all []Variant
	for _, w := range v.Widths {
		one := v
		one.Name, one.Widths, one.Steps = fmt.Sprintf("%s_%d", v.Name, w), nil, slices.Clone(v.Steps)
		r := v.Steps[i].(Resize)
		r.Width, r.Height = w, inProportion(r, w)
		one.Steps[i] = r
		all = append(all, one)
	}
	return all
}

// named gives the variants whose names are to be checked: that of a set itself where its widths are wrong.
func (v Variant) named(wrong bool) []Variant {
	if wrong {
		return []Variant{v}
	}
	return v.each()
}

// of gives those of a set's variants that differ: where nothing is enlarged, widths from the original's on are the same picture, of which
// the first stays.
func (src Source) of(v Variant) []Variant {
	all := v.each()
	if len(all) == 1 || v.Output.Page > 1 || src.Width == 0 || src.Height == 0 {
		return all
	}
	i := first(all[0].Steps)
	size := func(v Variant) [2]float64 {
		w, h := Variant{Steps: v.Steps[:i+1]}.extent(float64(src.Width), float64(src.Height))
		return [2]float64{w, h}
	}
	if all[0].Steps[i].(Resize).Mode != Limit {
		return all
	}
	return slices.CompactFunc(all, func(a, b Variant) bool { return size(a) == size(b) })
}

// checkSet finds what is wrong with the widths of a set.
func (v Variant) checkSet() []fault.Field {
	if len(v.Widths) == 0 {
		return nil
	}
	c := checker{of: "widths"}
	if n := len(v.Widths); n > MaxVariants {
		c.fault("", "there are %d widths; at most %d are made", n, MaxVariants)
	}
	for i, w := range v.Widths {
		switch {
		case w < 1 || w > MaxSide:
			c.fault("", "%d is not within 1..%d", w, MaxSide)
		case i > 0 && w <= v.Widths[i-1]:
			c.fault("", "%d stands after %d; they rise", w, v.Widths[i-1])
		}
	}
	if i := first(v.Steps); i >= 0 {
		if r := v.Steps[i].(Resize); r.Height != 0 && r.Width == 0 {
			c.fault("", "the height of the first resize needs a width, with which the widths keep its proportion")
		}
	}
	for i := range c.fields {
		c.fields[i].Path = "widths"
	}
	return c.fields
}

// single refuses a set where only one picture is made.
func (v Variant) single() []fault.Field {
	if len(v.Widths) == 0 {
		return nil
	}
	return []fault.Field{{Path: "widths", Message: "a set of widths is made by jobs, under a name for each; here one picture is made, of one width: w_" +
		strconv.Itoa(v.Widths[0])}}
}

// set writes a set's widths, that of the step first; one alone stands twice, so that it is seen to be a set.
func (o *options) set(width int, widths []int) {
	text := strconv.Itoa(width)
	for _, w := range widths {
		if w != width || len(widths) == 1 {
			text += ":" + strconv.Itoa(w)
		}
	}
	o.text("w", text)
}

// set reads w_320:640:960: the first width is that of the step, with which its height goes. It leaves an option of one width alone.
func (p *parser) set(t part) {
	o, ok := t.options["w"]
	if !ok || !strings.Contains(o.value, ":") || strings.HasPrefix(o.value, "auto") {
		return
	}
	values := strings.Split(o.value, ":")
	t.options["w"] = o.of(values[0])
	switch {
	case len(values) > MaxVariants+1:
		p.wrong(o, "there are %d widths; at most %d are made", len(values), MaxVariants)
		return
	case t.options["c"].value == "crop" || t.regional():
		p.wrong(o, "several widths are for resizing")
		return
	case len(p.v.Widths) > 0 || first(p.v.Steps) >= 0:
		p.wrong(o, "several widths are for the first step that resizes")
		return
	}
	factor := 1.0
	if dpr, ok := t.options["dpr"]; ok && decimals.MatchString(dpr.value) { // a set is no request's: dpr_auto will be refused
		factor, _ = strconv.ParseFloat(dpr.value, 64)
	}
	before := len(p.fields)
	var widths []int
	for i, v := range values {
		n := int(math.Round(float64(p.integer(o.of(v))) * factor))
		if len(p.fields) > before {
			if i == 0 { // it will be told again
				p.fields = p.fields[:before]
			}
			return
		}
		if i > 0 && (n < 1 || n > MaxSide) {
			p.wrong(o, "%d is not within 1..%d", n, MaxSide)
			return
		}
		widths = append(widths, n)
	}
	slices.Sort(widths)
	p.v.Widths = slices.Compact(widths)
}
