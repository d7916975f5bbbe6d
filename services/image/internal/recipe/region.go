package recipe

import "strconv"

// Region is a part of a picture, in its pixels.
type Region struct{ X, Y, Width, Height int }

// The effects whose step has the region where others have a size.
const (
	pixelateRegion = "pixelate_region"
	blurRegion     = "blur_region"
)

var regional = []string{pixelateRegion, blurRegion}

// region checks a region; none is the whole picture.
func (c *checker) region(r Region) {
	if r == (Region{}) {
		return
	}
	c.within("region.width", r.Width, 1, MaxSide)
	c.within("region.height", r.Height, 1, MaxSide)
	c.within("region.x", r.X, 0, MaxOffset)
	c.within("region.y", r.Y, 0, MaxOffset)
}

func (o *options) region(r Region) {
	o.text("x", strconv.Itoa(r.X))
	o.text("y", strconv.Itoa(r.Y))
	o.number("w", r.Width)
	o.number("h", r.Height)
}

// region reads a step of e_pixelate_region or e_blur_region, with x_, y_, w_ and h_.
func (p *parser) region(t part, o option) {
	word, values := o.values()
	for _, key := range []string{"c", "g"} {
		if other, there := t.options[key]; there {
			p.wrong(other, "in the step of e_%s, x_, y_, w_ and h_ are the region's, and nothing is resized; part the steps by a slash", word)
			return
		}
	}
	if !t.has("w") || !t.has("h") {
		p.wrong(o, "it needs the region: x_, y_, w_ and h_")
		return
	}
	size := p.size(t)
	if size == nil {
		return
	}
	r := Region{X: size["x"], Y: size["y"], Width: size["w"], Height: size["h"]}
	if word == blurRegion {
		p.deviation(t, o, word, values, r)
	} else {
		p.pixelate(t, o, values, r)
	}
}
