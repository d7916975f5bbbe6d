package pipeline

import (
	"image"
	"image/color"
	"image/draw"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// framedBy is a block of one colour in a field of another.
func framedBy(field, block color.NRGBA, size image.Point, at image.Rectangle) *image.NRGBA {
	m := plain(size.X, size.Y, field)
	draw.Draw(m, at, image.NewUniform(block), image.Point{}, draw.Src)
	return m
}

func TestTrim(t *testing.T) {
	e := engine(t)
	grey, hidden := color.NRGBA{119, 119, 119, 255}, color.NRGBA{220, 40, 40, 0}
	for name, c := range map[string]struct {
		data  []byte
		steps []recipe.Step
		size  image.Point
	}{
		"one colour around":      {encode(t, framedBy(grey, red, image.Pt(90, 70), image.Rect(20, 10, 60, 50))), []recipe.Step{recipe.Trim{Tolerance: 10}}, image.Pt(40, 40)},
		"no tolerance is some":   {encode(t, framedBy(grey, red, image.Pt(90, 70), image.Rect(20, 10, 60, 50))), []recipe.Step{recipe.Trim{}}, image.Pt(40, 40)},
		"too much tolerance":     {encode(t, framedBy(grey, color.NRGBA{139, 119, 119, 255}, image.Pt(90, 70), image.Rect(20, 10, 60, 50))), []recipe.Step{recipe.Trim{Tolerance: 30}}, image.Pt(90, 70)},
		"transparent around":     {encode(t, framedBy(color.NRGBA{}, red, image.Pt(90, 70), image.Rect(20, 10, 60, 50))), []recipe.Step{recipe.Trim{Tolerance: 10}}, image.Pt(40, 40)},
		"hidden colour the same": {encode(t, framedBy(hidden, red, image.Pt(90, 70), image.Rect(20, 10, 60, 50))), []recipe.Step{recipe.Trim{Tolerance: 10}}, image.Pt(40, 40)},
		"nothing but one colour": {encode(t, plain(30, 20, grey)), []recipe.Step{recipe.Trim{Tolerance: 10}}, image.Pt(30, 20)},
		"then a size": {encode(t, framedBy(grey, red, image.Pt(900, 700), image.Rect(20, 10, 60, 30))),
			[]recipe.Step{recipe.Trim{Tolerance: 10}, recipe.Resize{Width: 20}}, image.Pt(20, 10)},
		"after a turn": {encode(t, framedBy(grey, red, image.Pt(90, 70), image.Rect(20, 10, 60, 30))),
			[]recipe.Step{recipe.Rotate{Angle: 90}, recipe.Trim{Tolerance: 10}}, image.Pt(20, 40)},
	} {
		m := e.look(t, e.make(t, c.data, variant(recipe.PNG, c.steps...)))
		if m.Bounds().Size() != c.size {
			t.Errorf("%s: %v, want %v", name, m.Bounds().Size(), c.size)
		} else if c.size.X*c.size.Y < 2000 && name != "nothing but one colour" {
			quarters(t, m, red, red, red, red)
		}
	}
	r := e.make(t, load(t, "walk.gif"), variant(recipe.GIF, recipe.Trim{}))
	if r.Pages != 8 || r.Width >= 96 {
		t.Errorf("an animation becomes %d x %d in %d frames", r.Width, r.Height, r.Pages)
	}
}

// What is trimmed may have another aspect ratio than was foreseen: its limits count all the same, before the pixels are made.
func TestTrimKeepsLimits(t *testing.T) {
	e := engine(t, func(l *Limits) { l.Pixels = 1e6 })
	data := encode(t, framedBy(color.NRGBA{119, 119, 119, 255}, red, image.Pt(600, 600), image.Rect(100, 50, 104, 550)))
	for name, steps := range map[string][]recipe.Step{
		"large":           {recipe.Trim{Tolerance: 10}, recipe.Resize{Mode: recipe.Fit, Width: 500}},
		"large between":   {recipe.Trim{Tolerance: 10}, recipe.Resize{Mode: recipe.Fit, Width: 500}, recipe.Resize{Width: 5}},
		"large to attend": {recipe.Trim{Tolerance: 10}, recipe.Resize{Mode: recipe.Fill, Width: 500, Height: 500, Gravity: recipe.Auto}},
	} {
		_, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG, steps...)}, nil)
		if fault.ReasonOf(err) != ResultTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	e = engine(t)
	_, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.WebP, recipe.Trim{Tolerance: 10}, recipe.Resize{Mode: recipe.Fit, Width: 200})}, nil)
	if fault.ReasonOf(err) != ResultTooLarge {
		t.Errorf("a WebP of 25000 pixels: %v", err)
	}
	_, err = e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG, recipe.Trim{Tolerance: 10}, recipe.Crop{Width: 9, Height: 9, Gravity: recipe.XY, X: 50})}, nil)
	if fault.ReasonOf(err) != OutsidePicture {
		t.Errorf("a part of what was cut off: %v", err)
	}
}

func TestAround(t *testing.T) {
	in := size{400, 200}
	for _, c := range []struct {
		p        recipe.Point
		to, part size
		want     rect
	}{
		{recipe.Point{X: 0.5, Y: 0.5}, in, size{100, 100}, rect{150, 50, 100, 100}},
		{recipe.Point{X: 0.25, Y: 0.5}, in, size{100, 100}, rect{50, 50, 100, 100}},
		{recipe.Point{X: 0, Y: 1}, in, size{100, 100}, rect{0, 100, 100, 100}},
		{recipe.Point{X: 300, Y: 50, Pixels: true}, in, size{100, 100}, rect{250, 0, 100, 100}},
		{recipe.Point{X: 300, Y: 50, Pixels: true}, size{200, 100}, size{50, 100}, rect{125, 0, 50, 100}},
		{recipe.Point{X: 0.9, Y: 0.9}, size{200, 100}, size{200, 100}, rect{0, 0, 200, 100}},
	} {
		if got, err := around(c.p, in, c.to, c.part); err != nil || got != c.want {
			t.Errorf("%+v of %v: %v, %v; want %v", c.p, c.to, got, err, c.want)
		}
	}
	if _, err := around(recipe.Point{X: 400, Pixels: true}, in, in, size{9, 9}); fault.ReasonOf(err) != OutsidePicture {
		t.Errorf("a point outside: %v", err)
	}
}

func TestFocus(t *testing.T) {
	e := engine(t)
	data := load(t, "orientation-1.jpg") // 120 x 80
	for name, c := range map[string]struct {
		step recipe.Step
		want color.NRGBA
	}{
		"fill":              {recipe.Resize{Mode: recipe.Fill, Width: 20, Height: 40, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 0.8, Y: 0.5}}, green},
		"fill at its left":  {recipe.Resize{Mode: recipe.Fill, Width: 20, Height: 40, Gravity: recipe.XYCenter, Focus: recipe.Point{Pixels: true}}, red},
		"fill by pixels":    {recipe.Resize{Mode: recipe.Fill, Width: 20, Height: 40, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 100, Y: 40, Pixels: true}}, green},
		"crop":              {recipe.Crop{Width: 30, Height: 20, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 0.75, Y: 0.75}}, yellow},
		"crop by its pixel": {recipe.Crop{Width: 30, Height: 20, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 20, Y: 70, Pixels: true}}, blue},
	} {
		t.Run(name, func(t *testing.T) { at(t, e.look(t, e.make(t, data, variant(recipe.PNG, c.step))), 8, 4, c.want) })
	}
	for _, s := range []recipe.Step{
		recipe.Resize{Mode: recipe.Fill, Width: 20, Height: 40, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 120, Pixels: true}},
		recipe.Crop{Width: 20, Height: 40, Gravity: recipe.XYCenter, Focus: recipe.Point{Y: 80, Pixels: true}},
	} {
		if _, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG, s)}, nil); fault.ReasonOf(err) != OutsidePicture {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// Beside the picture stand its own colours, out of focus; the picture is as it was.
func TestPadWithItself(t *testing.T) {
	e := engine(t)
	pad := recipe.Resize{Mode: recipe.Pad, Width: 480, Height: 160, Background: recipe.Blurred}
	m := e.look(t, e.make(t, load(t, "orientation-1.jpg"), variant(recipe.PNG, pad)))
	alone := e.look(t, e.make(t, load(t, "orientation-1.jpg"), variant(recipe.PNG, recipe.Resize{Mode: recipe.Fit, Width: 240})))
	middle := image.NewNRGBA(alone.Bounds())
	draw.Draw(middle, middle.Bounds(), m, image.Pt(120, 0), draw.Src)
	if d := distance(t, middle, alone); d != 0 {
		t.Errorf("the picture itself differs by %.1f", d)
	}
	at(t, m, 5, 5, red)
	at(t, m, 475, 5, green)
	at(t, m, 5, 155, blue)
	at(t, m, 475, 155, yellow)
	at(t, m, 40, 80, color.NRGBA{130, 55, 125, 255}) // no edge is left between red and blue
	for name, pages := range map[string]int{"banana.gif": 8, "alpha.png": 1, "gray.jpg": 1} {
		r := e.make(t, load(t, name), as(recipe.Output{Format: recipe.WebP}, pad))
		if r.Pages != pages || r.Width != 480 || r.Height != 160 {
			t.Errorf("%s: %d x %d in %d pages", name, r.Width, r.Height, r.Pages)
		}
	}
	grey := e.make(t, load(t, "alpha.png"), as(recipe.Output{Format: recipe.PNG}, recipe.Adjust{Effect: recipe.Grayscale}, pad))
	at(t, e.look(t, grey), 240, 80, color.NRGBA{153, 153, 153, 255})
	// Through what is transparent shows what is behind: the disc is alone in the middle.
	r := e.look(t, e.make(t, load(t, "alpha.png"), variant(recipe.PNG, pad)))
	at(t, r, 240, 80, color.NRGBA{240, 140, 20, 255})
}
