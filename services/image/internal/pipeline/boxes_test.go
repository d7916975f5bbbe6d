package pipeline

import (
	"math/rand/v2"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

func boxed(b ...recipe.Box) recipe.Resize {
	return recipe.Resize{Gravity: recipe.Boxes, Boxes: b}
}

func TestHolding(t *testing.T) {
	in := size{1000, 500}
	left := recipe.Box{X: 0.1, Y: 0.4, Width: 0.1, Height: 0.2}                 // 100..200 x 200..300
	right := recipe.Box{X: 800, Y: 100, Width: 100, Height: 300, Pixels: true}  // 800..900 x 100..400
	near := recipe.Box{X: 240, Y: 220, Width: 60, Height: 60, Pixels: true}     // beside left
	heavy := recipe.Box{X: 0.8, Y: 0.2, Width: 0.1, Height: 0.6, Weight: 2.5}   // right, which outweighs two
	large := recipe.Box{X: 0.2, Y: 0, Width: 0.6, Height: 1}                    // 200..800: more than fits
	corner := recipe.Box{X: 990, Y: 490, Width: 100, Height: 100, Pixels: true} // beyond the edge
	for name, c := range map[string]struct {
		boxes    []recipe.Box
		to, part size
		want     rect
	}{
		"in the middle of the part":         {[]recipe.Box{left}, in, size{300, 300}, rect{0, 100, 300, 300}},
		"of two that fit, both":             {[]recipe.Box{left, near}, in, size{300, 500}, rect{50, 0, 300, 500}},
		"of two that do not fit, one":       {[]recipe.Box{right, heavy}, in, size{400, 500}, rect{600, 0, 400, 500}},
		"two outweigh one":                  {[]recipe.Box{right, left, near}, in, size{300, 500}, rect{50, 0, 300, 500}},
		"one outweighs two":                 {[]recipe.Box{heavy, left, near}, in, size{300, 500}, rect{700, 0, 300, 500}},
		"what does not fit, by its middle":  {[]recipe.Box{large}, in, size{300, 500}, rect{350, 0, 300, 500}},
		"what is beyond does not count":     {[]recipe.Box{corner}, in, size{100, 100}, rect{900, 400, 100, 100}},
		"after the picture was made larger": {[]recipe.Box{right}, size{2000, 1000}, size{1000, 1000}, rect{1000, 0, 1000, 1000}},
		"and smaller":                       {[]recipe.Box{near}, size{200, 100}, size{50, 100}, rect{29, 0, 50, 100}},
		"all of the picture":                {[]recipe.Box{left}, in, in, rect{0, 0, 1000, 500}},
	} {
		got, err := aim(boxed(c.boxes...), in, c.to, c.part)
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
	_, err := aim(boxed(recipe.Box{X: 1000, Y: 1, Width: 5, Height: 5, Pixels: true}), in, in, size{5, 5})
	if fault.ReasonOf(err) != OutsidePicture {
		t.Errorf("a box outside: %v", err)
	}
}

// No window holds more weight whole than the one that is chosen, whatever the order of the boxes.
func TestHoldingIsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for range 200 {
		in := size{20 + r.IntN(60), 20 + r.IntN(60)}
		part := size{1 + r.IntN(in.w), 1 + r.IntN(in.h)}
		var boxes []recipe.Box
		for range 1 + r.IntN(8) {
			boxes = append(boxes, recipe.Box{X: float64(r.IntN(in.w)), Y: float64(r.IntN(in.h)), Width: float64(1 + r.IntN(30)), Height: float64(1 + r.IntN(30)), Pixels: true, Weight: float64(1 + r.IntN(3))})
		}
		whole := func(at rect) (sum float64) {
			for _, b := range boxes {
				x, y, right, bottom := b.In(0, 0)
				if int(x) >= at.x && int(y) >= at.y && min(int(right), in.w) <= at.x+at.w && min(int(bottom), in.h) <= at.y+at.h {
					sum += b.Weight
				}
			}
			return sum
		}
		got, err := aim(boxed(boxes...), in, in, part)
		if err != nil || got.w != part.w || got.h != part.h || got.x < 0 || got.y < 0 || got.x+got.w > in.w || got.y+got.h > in.h {
			t.Fatalf("%v of %v: %v, %v", part, in, got, err)
		}
		for y := range in.h - part.h + 1 {
			for x := range in.w - part.w + 1 {
				if other := (rect{x, y, part.w, part.h}); whole(other) > whole(got) {
					t.Fatalf("%v holds %v of %v, %v holds %v", got, whole(got), boxes, other, whole(other))
				}
			}
		}
		r.Shuffle(len(boxes), func(i, k int) { boxes[i], boxes[k] = boxes[k], boxes[i] })
		if again, _ := aim(boxed(boxes...), in, in, part); again != got {
			t.Fatalf("in another order, %v instead of %v", again, got)
		}
	}
}

func TestOffsets(t *testing.T) {
	for _, c := range []struct {
		g          recipe.Gravity
		x, y       int
		left, down int
	}{
		{recipe.Center, 0, 0, 50, 20}, {recipe.Center, 10, -5, 60, 15}, {"", -10, 5, 40, 25},
		{recipe.NorthWest, 10, 5, 10, 5}, {recipe.NorthEast, 10, 5, 90, 5}, {recipe.SouthEast, 10, 5, 90, 35}, {recipe.SouthWest, 10, 5, 10, 35},
		{recipe.North, 10, 5, 60, 5}, {recipe.South, 10, 5, 60, 35}, {recipe.East, 10, 5, 90, 25}, {recipe.West, 10, 5, 10, 25},
		{recipe.NorthWest, -10, -5, 0, 0}, {recipe.SouthEast, -10, -5, 100, 40}, {recipe.West, 500, 500, 100, 40}, {recipe.Center, -500, 500, 0, 40},
	} {
		if x, y := shifted(recipe.Resize{Gravity: c.g, X: c.x, Y: c.y}, 100, 40); x != c.left || y != c.down {
			t.Errorf("%q by %d,%d: %d,%d, want %d,%d", c.g, c.x, c.y, x, y, c.left, c.down)
		}
	}
}
