package pipeline

import (
	"math"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

// size is pixels from left to right and from top to bottom.
type size struct{ w, h int }

func (s size) pixels() int64 { return int64(s.w) * int64(s.h) }

func (s size) turned() size { return size{s.h, s.w} }

// rect is a part of a picture.
type rect struct{ x, y, w, h int }

// scaled gives the size to which Resize brings the whole of a picture, before Fill cuts and Pad fills.
func scaled(r recipe.Resize, in size) size {
	w, h := float64(in.w), float64(in.h)
	across, down := float64(r.Width)/w, float64(r.Height)/h
	if r.Width == 0 {
		across = down
	}
	if r.Height == 0 {
		down = across
	}
	if r.Mode == recipe.Scale {
		return size{whole(w * across), whole(h * down)}
	}
	by := min(across, down)
	switch r.Mode {
	case recipe.Fill:
		by = max(across, down)
		return size{max(whole(w*by), r.Width), max(whole(h*by), r.Height)}
	case recipe.LimitFill:
		if by = max(across, down); by >= 1 {
			return in
		}
		return size{max(whole(w*by), r.Width), max(whole(h*by), r.Height)}
	case recipe.Limit, recipe.LimitPad, "":
		by = min(by, 1)
	case recipe.MinFit:
		by = max(by, 1)
	}
	return size{whole(w * by), whole(h * by)}
}

func whole(v float64) int { return max(1, int(math.Round(v))) }

// framed gives what a Resize leaves.
func framed(r recipe.Resize, in size) size {
	whole := scaled(r, in)
	switch {
	case r.Mode.Fills():
		return size{min(r.Width, whole.w), min(r.Height, whole.h)}
	case r.Mode.Pads():
		return size{r.Width, r.Height}
	}
	return whole
}

// cut gives the part that Crop keeps; where pixels are to be looked at, only its size is meant. It fails when the part lies outside.
func cut(c recipe.Crop, in size) (rect, error) {
	if c.Gravity == recipe.XY {
		if c.X >= in.w || c.Y >= in.h || c.X < 0 || c.Y < 0 {
			return rect{}, fault.New(fault.Invalid, OutsidePicture,
				"crop begins at %d,%d, outside the picture of %d x %d pixels", c.X, c.Y, in.w, in.h)
		}
		return rect{c.X, c.Y, min(c.Width, in.w-c.X), min(c.Height, in.h-c.Y)}, nil
	}
	part := size{min(c.Width, in.w), min(c.Height, in.h)}
	return aim(recipe.Resize{Gravity: c.Gravity, Focus: c.Focus, Boxes: c.Boxes}, in, in, part)
}

// aim gives the part that a gravity keeps of a picture which has been brought to a size; where pixels are to be looked at, only its size
// is meant.
func aim(r recipe.Resize, in, to, part size) (rect, error) {
	switch r.Gravity {
	case recipe.XYCenter:
		return around(r.Focus, in, to, part)
	case recipe.Boxes:
		return holding(r.Boxes, in, to, part)
	}
	x, y := shifted(r, to.w-part.w, to.h-part.h)
	return rect{x, y, part.w, part.h}, nil
}

// shifted divides free space by gravity and offset, which leads inwards from the edges that gravity names, and never out of the space.
func shifted(r recipe.Resize, free, above int) (x, y int) {
	x, y = place(r.Gravity, free, above)
	switch r.Gravity {
	case recipe.East, recipe.NorthEast, recipe.SouthEast:
		x -= r.X
	default:
		x += r.X
	}
	switch r.Gravity {
	case recipe.South, recipe.SouthWest, recipe.SouthEast:
		y -= r.Y
	default:
		y += r.Y
	}
	return min(max(x, 0), free), min(max(y, 0), above)
}

// part gives what of a region lies in a picture; no region is all of it. It fails when the region begins outside.
func part(r recipe.Region, in size) (rect, error) {
	if r == (recipe.Region{}) {
		return rect{0, 0, in.w, in.h}, nil
	}
	return cut(recipe.Crop{Gravity: recipe.XY, X: r.X, Y: r.Y, Width: r.Width, Height: r.Height}, in)
}

// around gives the part that is nearest to having a point in its middle; the point is one of a picture which has been brought to a size.
func around(p recipe.Point, in, to, part size) (rect, error) {
	x, y := p.In(float64(in.w), float64(in.h))
	if p.Pixels && (x >= float64(in.w) || y >= float64(in.h)) {
		return rect{}, fault.New(fault.Invalid, OutsidePicture, "the point %g,%g lies outside the picture of %d x %d pixels", x, y, in.w, in.h)
	}
	from := func(at float64, in, to, part int) int {
		return min(max(int(math.Round(at*float64(to)/float64(in)-float64(part)/2)), 0), to-part)
	}
	return rect{from(x, in.w, to.w, part.w), from(y, in.h, to.h, part.h), part.w, part.h}, nil
}

// bordered gives the size of a framed picture.
func bordered(s recipe.Frame, in size) size { return size{in.w + 2*s.Border, in.h + 2*s.Border} }

// rounded gives the radii that a picture can have: where two would meet, all are reduced by one factor, as CSS does it.
func rounded(s recipe.Frame, in size) [4]float64 {
	if s.Round {
		r := float64(min(in.w, in.h)) / 2
		return [4]float64{r, r, r, r}
	}
	var radii [4]float64
	by := 1.0
	for i, r := range s.Radii {
		radii[i] = float64(r)
		side := in.w // above and below; between them the heights
		if i%2 == 1 {
			side = in.h
		}
		if both := r + s.Radii[(i+1)%4]; both > side {
			by = min(by, float64(side)/float64(both))
		}
	}
	for i := range radii {
		radii[i] *= by
	}
	return radii
}

// place divides free space by gravity: what is left of a part, and what is above it.
func place(g recipe.Gravity, free, above int) (x, y int) {
	x, y = free/2, above/2
	switch g {
	case recipe.West, recipe.NorthWest, recipe.SouthWest:
		x = 0
	case recipe.East, recipe.NorthEast, recipe.SouthEast:
		x = free
	}
	switch g {
	case recipe.North, recipe.NorthWest, recipe.NorthEast:
		y = 0
	case recipe.South, recipe.SouthWest, recipe.SouthEast:
		y = above
	}
	return x, y
}

// forecast is what a variant's steps will do, known before any pixel is.
type forecast struct {
	out     size
	largest int64 // pixels of the largest picture on the way, except those that are never held
	// enough is the scale, at most 1, to which the original may be reduced beforehand without a loss: that of the first
	// Resize, when nothing before it counts in pixels of the original.
	enough float64
	first  size    // what that Resize makes of all of the original, when it does that
	needed float64 // the scale of that Resize itself, or 0
	// wished is the same where it is more than 1: a drawing is made at this scale.
	wished float64
	// trims is true when sizes are only known once there are pixels: they may then be smaller, or of another aspect ratio.
	trims bool
	// streams is true when the steps can work on rows as they come, from top to bottom.
	streams bool
}

// foresee walks the steps of a variant over a picture of a size.
func foresee(steps []recipe.Step, in size) (forecast, error) {
	f := forecast{out: in, enough: 1, streams: true}
	free, reserve, turned := true, 1.0, false
	for _, s := range steps {
		before := f.out
		switch s := s.(type) {
		case recipe.Resize:
			s = s.Meant()
			whole := scaled(s, before)
			if free {
				f.needed = max(float64(whole.w)/float64(before.w), float64(whole.h)/float64(before.h))
				f.wished = reserve * f.needed
				f.enough = min(1, f.wished)
				if reserve == 1 && s.Mode != recipe.Scale && f.enough < 1 {
					f.first = whole
					if turned {
						f.first = whole.turned()
					}
				}
				free = false
			}
			f.out = framed(s, before)
			switch {
			case s.Mode.Fills() && s.Gravity.Seeks():
				f.streams = false
				f.largest = max(f.largest, whole.pixels())
			case s.Mode.Fills():
				if _, err := aim(s, before, whole, f.out); err != nil {
					return f, err
				}
			case s.Mode.Pads() && s.Background == recipe.Blurred:
				f.streams = false // the picture stands in itself
			}
		case recipe.Crop:
			part, err := cut(s, before)
			if err != nil {
				return f, err
			}
			f.out = size{part.w, part.h}
			reserve = 2 // the part's edges fall between pixels of the reduced original: by no more than a quarter of one in the end
			f.streams = f.streams && !s.Gravity.Seeks()
		case recipe.Rotate:
			if s.Angle != 180 {
				f.out, turned = before.turned(), !turned
			}
			f.streams = false
		case recipe.Flip:
			f.streams = f.streams && !s.Vertical
		case recipe.Blur:
			if _, err := part(s.Region, before); err != nil {
				return f, err
			}
			free, f.streams = false, false
		case recipe.Sharpen, recipe.Convolve:
			free, f.streams = false, false
		case recipe.Adjust:
			f.streams = f.streams && s.Effect != recipe.Equalize // all pixels are counted before the first is made
			free = free && s.Effect != recipe.Noise              // it stands in pixels of what is there
		case recipe.Pixelate:
			if _, err := part(s.Region, before); err != nil {
				return f, err
			}
			free, f.streams = false, false // a square is as many rows, and a region is put back into the whole
		case recipe.Trim:
			free, f.streams, f.trims = false, false, true // all pixels are looked at before the first is made
		case recipe.Overlay:
			free = false // it stands at pixels of what is there
		case recipe.Frame:
			f.out = bordered(s, before)
			free = false
		}
		f.largest = max(f.largest, f.out.pixels())
	}
	return f, nil
}
