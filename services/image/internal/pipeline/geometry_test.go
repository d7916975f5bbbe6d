package pipeline

import (
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
	"calotype/test/likeness"
)

func TestForesee(t *testing.T) {
	photo := size{4000, 3000}
	for _, c := range []struct {
		name   string
		in     size
		steps  []recipe.Step
		out    size
		enough float64
	}{
		{"nothing", photo, nil, photo, 1},
		{"limit by width", photo, []recipe.Step{recipe.Resize{Mode: recipe.Limit, Width: 500}}, size{500, 375}, 0.125},
		{"no mode is limit", photo, []recipe.Step{recipe.Resize{Height: 300}}, size{400, 300}, 0.1},
		{"limit does not enlarge", photo, []recipe.Step{recipe.Resize{Mode: recipe.Limit, Width: 8000}}, photo, 1},
		{"limit within both", photo, []recipe.Step{recipe.Resize{Mode: recipe.Limit, Width: 1000, Height: 300}}, size{400, 300}, 0.1},
		{"fit enlarges", photo, []recipe.Step{recipe.Resize{Mode: recipe.Fit, Width: 8000, Height: 8000}}, size{8000, 6000}, 1},
		{"fill covers", photo, []recipe.Step{recipe.Resize{Mode: recipe.Fill, Width: 600, Height: 600}}, size{600, 600}, 0.2},
		{"limit fill covers", photo, []recipe.Step{recipe.Resize{Mode: recipe.LimitFill, Width: 600, Height: 600}}, size{600, 600}, 0.2},
		{"limit fill does not enlarge", photo, []recipe.Step{recipe.Resize{Mode: recipe.LimitFill, Width: 600, Height: 6000}}, size{600, 3000}, 1},
		{"limit fill leaves what is small", photo, []recipe.Step{recipe.Resize{Mode: recipe.LimitFill, Width: 5000, Height: 5000}}, photo, 1},
		{"limit pad surrounds", photo, []recipe.Step{recipe.Resize{Mode: recipe.LimitPad, Width: 600, Height: 600}}, size{600, 600}, 0.15},
		{"limit pad does not enlarge", photo, []recipe.Step{recipe.Resize{Mode: recipe.LimitPad, Width: 5000, Height: 4000}}, size{5000, 4000}, 1},
		{"minimum fit enlarges", photo, []recipe.Step{recipe.Resize{Mode: recipe.MinFit, Width: 8000, Height: 8000}}, size{8000, 6000}, 1},
		{"minimum fit does not reduce", photo, []recipe.Step{recipe.Resize{Mode: recipe.MinFit, Width: 8000, Height: 100}}, photo, 1},
		{"pad surrounds", photo, []recipe.Step{recipe.Resize{Mode: recipe.Pad, Width: 600, Height: 600}}, size{600, 600}, 0.15},
		{"scale gives up the aspect", photo, []recipe.Step{recipe.Resize{Mode: recipe.Scale, Width: 100, Height: 1500}}, size{100, 1500}, 0.5},
		{"scale by one side keeps it", photo, []recipe.Step{recipe.Resize{Mode: recipe.Scale, Width: 100}}, size{100, 75}, 0.025},
		{"never nothing", size{10000, 2}, []recipe.Step{recipe.Resize{Width: 100}}, size{100, 1}, 0.5},
		{"turned, then small", photo, []recipe.Step{recipe.Rotate{Angle: 90}, recipe.Resize{Width: 300}}, size{300, 400}, 0.1},
		{"crop, then small", photo, []recipe.Step{recipe.Crop{Width: 2000, Height: 2000}, recipe.Resize{Width: 200}}, size{200, 200}, 0.2},
		{"crop alone counts pixels", photo, []recipe.Step{recipe.Crop{Width: 2000, Height: 5000}}, size{2000, 3000}, 1},
		{"blur counts pixels", photo, []recipe.Step{recipe.Blur{Sigma: 2}, recipe.Resize{Width: 400}}, size{400, 300}, 1},
		{"small, then large", photo, []recipe.Step{recipe.Resize{Width: 400}, recipe.Resize{Mode: recipe.Fit, Width: 2000}}, size{2000, 1500}, 0.1},
	} {
		f, err := foresee(c.steps, c.in)
		if err != nil || f.out != c.out || f.enough != c.enough {
			t.Errorf("%s: got %v from a scale of %v (%v), want %v from %v", c.name, f.out, f.enough, err, c.out, c.enough)
		}
	}
	_, err := foresee([]recipe.Step{recipe.Crop{Width: 10, Height: 10, Gravity: recipe.XY, X: 4000}}, photo)
	if fault.ReasonOf(err) != OutsidePicture {
		t.Errorf("a crop outside the picture: %v", err)
	}
}

func TestPlace(t *testing.T) {
	for g, want := range map[recipe.Gravity][2]int{
		recipe.NorthWest: {0, 0}, recipe.North: {50, 0}, recipe.NorthEast: {100, 0}, recipe.West: {0, 20}, recipe.Center: {50, 20}, "": {50, 20},
		recipe.East: {100, 20}, recipe.SouthWest: {0, 40}, recipe.South: {50, 40}, recipe.SouthEast: {100, 40},
	} {
		if x, y := place(g, 100, 40); x != want[0] || y != want[1] {
			t.Errorf("%s: got %d,%d, want %v", g, x, y, want)
		}
	}
}

// What is turned before it is made smaller is made smaller once, to the size that it has then.
func TestTurnedBeforeItIsReduced(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	want := likeness.LightOf(e.look(t, e.make(t, data, variant(recipe.PNG)))).Reduced(200, 150)
	for _, steps := range [][]recipe.Step{
		{recipe.Rotate{Angle: 90}, recipe.Resize{Width: 150}, recipe.Rotate{Angle: 270}},
		{recipe.Rotate{Angle: 90}, recipe.Rotate{Angle: 180}, recipe.Resize{Width: 150}, recipe.Rotate{Angle: 90}},
		{recipe.Rotate{Angle: 270}, recipe.Rotate{Angle: 90}, recipe.Resize{Width: 200}},
	} {
		got := e.look(t, e.make(t, data, variant(recipe.PNG, steps...)))
		if d := likeness.PSNR(want, likeness.LightOf(got)); d < 40 {
			t.Errorf("%+v: %.2f dB", steps, d)
		}
	}
}
