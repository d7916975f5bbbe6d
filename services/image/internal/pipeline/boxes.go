package pipeline

import (
	"math"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

// span is a box along one side: pixels of the picture that is cut.
type span struct{ from, to float64 }

// within is how much of a span, 0..1, a window holds; all of it also where half a pixel is missing.
func (s span) within(at, wide int) float64 {
	held := min(s.to, float64(at+wide)) - max(s.from, float64(at))
	if s.from >= float64(at)-0.5 && s.to <= float64(at+wide)+0.5 {
		return 1
	}
	return max(0, held) / (s.to - s.from)
}

// holding gives the part that holds boxes: as many as it can hold whole, by their weights; of these choices the one with most of the rest;
// and of those the one nearest to the middle of all. What it holds whole is then brought into its middle. The boxes are
// those of a picture which has been brought to a size.
func holding(boxes []recipe.Box, in, to, part size) (rect, error) {
	var across, down []span
	for _, b := range boxes {
		left, top, right, bottom := b.In(float64(in.w), float64(in.h))
		if left >= float64(in.w) || top >= float64(in.h) {
			return rect{}, fault.New(fault.Invalid, OutsidePicture, "the box at %g,%g lies outside the picture of %d x %d pixels", b.X, b.Y, in.w, in.h)
		}
		across = append(across, clipped(left, right, in.w, to.w))
		down = append(down, clipped(top, bottom, in.h, to.h))
	}
	middle := func(spans []span) (sum float64) {
		all := 0.0
		for i, s := range spans {
			sum += boxes[i].Counts() * (s.from + s.to) / 2
			all += boxes[i].Counts()
		}
		return sum / all
	}
	w := windows{boxes: boxes, across: across, down: down, part: part, x: middle(across), y: middle(down)}
	best := w.judge(0, 0)
	for _, y := range starts(down, w.y, part.h, to.h) {
		for _, x := range starts(across, w.x, part.w, to.w) {
			if v := w.judge(x, y); v.better(best) {
				best = v
			}
		}
	}
	return rect{w.centred(best.x, best.y, across, part.w, to.w, best.x), w.centred(best.x, best.y, down, part.h, to.h, best.y), part.w, part.h}, nil
}

// clipped brings a box's side to a picture's.
func clipped(from, to float64, in, out int) span {
	by := float64(out) / float64(in)
	s := span{max(0, from) * by, min(to, float64(in)) * by}
	if s.to <= s.from { // thinner than a number tells
		s.to = s.from + 1e-9
	}
	return s
}

// starts are the places at which a window can be best: it begins or ends with a box, has it in its middle, or the middle of all.
func starts(spans []span, middle float64, wide, all int) []int {
	var at []int
	seen := map[int]bool{}
	try := func(v float64) {
		if n := min(max(int(math.Round(v)), 0), all-wide); !seen[n] {
			seen[n] = true
			at = append(at, n)
		}
	}
	try(middle - float64(wide)/2)
	for _, s := range spans {
		try(s.from)
		try(s.to - float64(wide))
		try((s.from+s.to)/2 - float64(wide)/2)
	}
	return at
}

// windows judges where a part may be cut.
type windows struct {
	boxes        []recipe.Box
	across, down []span
	part         size
	x, y         float64 // the middle of all
}

// verdict is what a window holds: the weight of boxes that are whole, that of all by their parts, and how far it is from the middle.
type verdict struct {
	whole, shares, far float64
	x, y               int
}

// better leaves a margin for what rounding does to sums.
func (v verdict) better(than verdict) bool {
	const margin = 1e-6
	switch {
	case math.Abs(v.whole-than.whole) > margin:
		return v.whole > than.whole
	case math.Abs(v.shares-than.shares) > margin:
		return v.shares > than.shares
	}
	return v.far < than.far-margin
}

func (w windows) judge(x, y int) verdict {
	v := verdict{x: x, y: y, far: math.Hypot(float64(x)+float64(w.part.w)/2-w.x, float64(y)+float64(w.part.h)/2-w.y)}
	for i, b := range w.boxes {
		share := w.across[i].within(x, w.part.w) * w.down[i].within(y, w.part.h)
		v.shares += b.Counts() * share
		if share == 1 {
			v.whole += b.Counts()
		}
	}
	return v
}

// centred moves a window along one side, so that what it holds whole has as much room before it as behind; with nothing whole it stays.
func (w windows) centred(x, y int, spans []span, wide, all, at int) int {
	from, to := math.Inf(1), math.Inf(-1)
	for i, s := range spans {
		if w.across[i].within(x, w.part.w)*w.down[i].within(y, w.part.h) == 1 {
			from, to = min(from, s.from), max(to, s.to)
		}
	}
	if from > to {
		return at
	}
	return min(max(int(math.Round((from+to-float64(wide))/2)), 0), all-wide)
}
