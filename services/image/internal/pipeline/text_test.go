package pipeline

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// watermark is a text in letters of a size.
func watermark(size int, s recipe.Overlay) recipe.Overlay {
	s.Text = recipe.Text{Text: "© Calotype", Font: "DejaVu Sans", Size: size, Color: "ffffff", Background: "00000080"}
	return s
}

// ink is the box of what a text on white leaves that is not white, and how many pixels that are.
func ink(m image.Image) (box image.Rectangle, n int) {
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			if c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA); c.R < 250 || c.G < 250 || c.B < 250 {
				box, n = box.Union(image.Rect(x, y, x+1, y+1)), n+1
			}
		}
	}
	return box, n
}

func (e *Engine) write(t *testing.T, under image.Point, s recipe.Overlay) (image.Image, image.Rectangle, int) {
	t.Helper()
	m := e.lay(t, job.Input{Data: encode(t, plain(under.X, under.Y, color.NRGBA{255, 255, 255, 255}))}, s)
	box, n := ink(m)
	return m, box, n
}

func words(text string, change ...func(*recipe.Overlay)) recipe.Overlay {
	s := recipe.Overlay{Gravity: recipe.NorthWest, Text: recipe.Text{Text: text, Font: "DejaVu Sans", Size: 40, Color: "000000", Align: recipe.Left}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func TestText(t *testing.T) {
	e := engine(t)
	page := image.Pt(600, 300)
	_, plainly, n := e.write(t, page, words("Hello"))
	if h := plainly.Dy(); h < 26 || h > 36 || plainly.Dx() < 85 || plainly.Dx() > 130 { // "H" is 0.73 of the size high
		t.Errorf("Hello takes %v", plainly)
	}
	_, twice, _ := e.write(t, page, words("Hello", func(s *recipe.Overlay) { s.Text.Size = 80 }))
	if d := twice.Dx() - 2*plainly.Dx(); d < -3 || d > 3 {
		t.Errorf("twice as large, %v became %v", plainly, twice)
	}
	if _, _, bold := e.write(t, page, words("Hello", func(s *recipe.Overlay) { s.Text.Bold = true })); bold < n*5/4 {
		t.Errorf("bold has %d pixels, plain %d", bold, n)
	}
	upright, _, _ := e.write(t, page, words("lll"))
	slanted, _, _ := e.write(t, page, words("lll", func(s *recipe.Overlay) { s.Text.Italic = true }))
	if alike(upright, slanted) {
		t.Error("italic letters are as upright ones")
	}
	if _, lines, _ := e.write(t, page, words("Hello\nHello\nHello")); lines.Dy() < 2*plainly.Dy()+40 || lines.Dx() != plainly.Dx() {
		t.Errorf("three lines take %v", lines)
	}
	if _, wrapped, _ := e.write(t, page, words("Hello Hello", func(s *recipe.Overlay) { s.Text.Width = 150 })); wrapped.Dx() != plainly.Dx() || wrapped.Dy() < 70 {
		t.Errorf("wrapped, they take %v", wrapped)
	}
	if _, own, _ := e.write(t, image.Pt(150, 200), words("Hello Hello")); own.Dx() != plainly.Dx() || own.Dy() < 70 {
		t.Errorf("wrapped at the picture's width, they take %v", own)
	}
	// The second line begins further right when it is aligned so.
	var begins []int
	for _, a := range []recipe.Align{recipe.Left, recipe.Middle, recipe.Right} {
		m, box, _ := e.write(t, page, words("HHHHHHHH\nH", func(s *recipe.Overlay) { s.Text.Align = a }))
		first := -1
		for x := 0; x < 600 && first < 0; x++ {
			if c, _, _, _ := m.At(x, box.Max.Y-5).RGBA(); c < 0x8000 {
				first = x
			}
		}
		begins = append(begins, first)
	}
	if !(begins[0] >= 0 && begins[0]+50 < begins[1] && begins[1]+50 < begins[2]) {
		t.Errorf("lines begin at %v", begins)
	}
}

func alike(a, b image.Image) bool {
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return true
}

func TestTextHasColours(t *testing.T) {
	e := engine(t)
	m, box, _ := e.write(t, image.Pt(300, 100), words("██", func(s *recipe.Overlay) { s.Text.Color, s.Text.Background = "dc2828", "2846d2" }))
	at(t, m, box.Min.X+2, box.Min.Y+2, blue)
	at(t, m, box.Min.X+25, box.Min.Y+35, red)
	m, _, _ = e.write(t, image.Pt(300, 100), words("██", func(s *recipe.Overlay) { s.Text.Color = "dc282880" }))
	at(t, m, 15, 25, color.NRGBA{237, 147, 147, 255})
	// As a mask, the picture is seen in the letters.
	m = e.lay(t, job.Input{Data: encode(t, plain(300, 100, green))}, words("██", func(s *recipe.Overlay) { s.Mask = true }))
	at(t, m, 15, 25, green)
	if _, _, _, a := m.At(250, 50).RGBA(); a != 0 {
		t.Errorf("beside the letters is %v", m.At(250, 50))
	}
}

// Nothing in a text is a language: what looks like markup or a font's description is letters.
func TestTextIsNoMarkup(t *testing.T) {
	e := engine(t)
	page := image.Pt(900, 120)
	_, small, _ := e.write(t, page, words("x"))
	for _, text := range []string{"<b>x</b>", `<span size="100000">x</span>`, "&lt;x&gt;", "<i>x", "&#120;", "%s%n", "$(x)", "\\n"} {
		if _, box, _ := e.write(t, page, words(text)); box.Dx() < small.Dx()*3/2 {
			t.Errorf("%q takes %v, and x alone %v", text, box, small)
		}
	}
	a, _, _ := e.write(t, page, words("<b>x</b>"))
	b, _, _ := e.write(t, page, words("<i>x</i>"))
	if alike(a, b) {
		t.Error("tags are not written")
	}
}

// Whatever is written, it ends within bounds: scripts of any direction, letters with nothing to show them, heaps of accents.
func TestTextOfEveryKind(t *testing.T) {
	e := engine(t)
	for name, text := range map[string]string{
		"right to left": "שלום עולם", "arabic": "مرحبا بالعالم", "both": "abc שלום def", "emoji": "\U0001F600\U0001F468\u200d\U0001F469\u200d\U0001F467", "no font has it": "\U000F0000\uE000",
		"accents": "a" + strings.Repeat("\u0301", 400), "override": "\u202eabc\u202c", "joiners": strings.Repeat("\u200b", 400) + "x", "long": strings.Repeat("word ", 100),
		"one word": strings.Repeat("W", 500), "newlines": strings.Repeat("x\n", 49) + "x", "a newline at the end": "x\n", "tags": "\U000E0041x",
	} {
		for _, size := range []int{recipe.MinLetter, 40} {
			if _, err := e.Render(t.Context(), job.Input{Data: encode(t, plain(300, 200, green))},
				[]recipe.Variant{variant(recipe.PNG, words(text, func(s *recipe.Overlay) { s.Text.Size = size }))}, nil); err != nil && fault.ReasonOf(err) != ResultTooLarge {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	left, _, _ := e.write(t, image.Pt(400, 100), words("שלום"))
	right, _, _ := e.write(t, image.Pt(400, 100), words("םולש"))
	if alike(left, right) {
		t.Error("the direction of letters makes no difference")
	}
}

// A text that would take more pixels than it may is refused by its measure.
func TestTextIsBounded(t *testing.T) {
	e := engine(t)
	data := encode(t, plain(3000, 200, green))
	for name, s := range map[string]recipe.Overlay{
		"large letters": words(strings.Repeat("W", 500), func(s *recipe.Overlay) { s.Text.Size = recipe.MaxLetter }),
		"narrow":        words(strings.Repeat("W", 500), func(s *recipe.Overlay) { s.Text.Size, s.Text.Width = 90, 1 }),
		"many lines":    words(strings.Repeat("W\n", 49)+"W", func(s *recipe.Overlay) { s.Text.Size = 800 }),
	} {
		_, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG, s)}, nil)
		if fault.ReasonOf(err) != ResultTooLarge || !strings.Contains(err.Error(), "a text of") {
			t.Errorf("%s: %v", name, err)
		}
	}
	small := engine(t, func(l *Limits) { l.Memory = 2 << 20 })
	_, err := small.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG, words("Hello Hello", func(s *recipe.Overlay) { s.Text.Size = 300 }))}, nil)
	if fault.ReasonOf(err) != ResultTooLarge {
		t.Errorf("with little memory: %v", err)
	}
}

func BenchmarkText(b *testing.B) {
	e := engine(b)
	data := encode(b, plain(800, 600, green))
	for b.Loop() {
		e.make(b, data, variant(recipe.JPEG, watermark(40, recipe.Overlay{})))
	}
}
