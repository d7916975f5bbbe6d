package compat

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"calotype/kit/fault"
)

// NoCounterpart is the reason for which an address is refused that asks for what Calotype does not do, or not in the same way.
const NoCounterpart = "NO_COUNTERPART"

// ErrUnmeasured is what translating ends with when the answer depends on how large the image is, and that was not told.
var ErrUnmeasured = errors.New("the image's size is needed")

// Size is pixels from left to right and from top to bottom, upright; the zero value is unknown.
type Size struct{ Width, Height int }

// Steps collects a variant's options step by step, and follows the size of the picture where it is known.
type Steps struct {
	Size
	Forgotten bool // the size cannot be known beforehand
	parts     []string
	output    []string
}

// Add adds a step of options.
func (s *Steps) Add(options ...string) { s.parts = append(s.parts, strings.Join(options, ",")) }

// Output adds options of the output.
func (s *Steps) Output(options ...string) { s.output = append(s.output, options...) }

// Encode says the format, and for those with a quality what it is and how many bytes the result may have; the others of those servers
// take these, and do nothing. Empty and 0 are what is not said.
func (s *Steps) Encode(format string, quality, bytes int) {
	if format != "" {
		s.Output("f_" + format)
	}
	if slices.Contains([]string{"png", "gif", "tiff", "tif", "bmp"}, format) {
		return
	}
	if quality > 0 {
		s.Output(Named("q", quality))
	}
	if bytes > 0 {
		s.Output(Named("bytes", bytes))
	}
}

// Named gives an option with a number.
func Named(key string, n int) string { return key + "_" + strconv.Itoa(n) }

// Part writes a part of the whole, which has a point.
func Part(f float64) string {
	text := Decimal(f)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// Text gives the l_ of a text in a font of one word.
func Text(font string, size int, style, text string) string {
	return fmt.Sprintf("l_text:%s_%d%s:b64:%s", font, size, style, base64.RawURLEncoding.EncodeToString([]byte(text)))
}

// Decimal writes a number with the digits that options have.
func Decimal(f float64) string {
	return strconv.FormatFloat(math.Round(f*1e6)/1e6, 'f', -1, 64)
}

// String gives the variant's options.
func (s *Steps) String() string {
	parts := slices.Clone(s.parts)
	if len(s.output) > 0 {
		parts = append(parts, strings.Join(s.output, ","))
	}
	return strings.Join(parts, "/")
}

// Measured gives the size of the picture as it is by now.
func (s *Steps) Measured() (w, h float64, err error) {
	switch {
	case s.Forgotten:
		return 0, 0, Refuse("how large a picture is once its edges are trimmed is not known beforehand; sizes that depend on it")
	case s.Width < 1 || s.Height < 1:
		return 0, 0, ErrUnmeasured
	}
	return float64(s.Width), float64(s.Height), nil
}

// Forget notes that from now on no size is known.
func (s *Steps) Forget() { s.Size, s.Forgotten = Size{}, true }

// Rotate turns clockwise by a multiple of 90 degrees.
func (s *Steps) Rotate(angle int) {
	angle = (angle%360 + 360) % 360
	if angle == 0 {
		return
	}
	s.Add(Named("a", angle))
	if angle != 180 {
		s.Width, s.Height = s.Height, s.Width
	}
}

// Flip mirrors.
func (s *Steps) Flip(horizontal, vertical bool) {
	var words []string
	if horizontal {
		words = append(words, "hflip")
	}
	if vertical {
		words = append(words, "vflip")
	}
	if len(words) > 0 {
		s.Add("a_" + strings.Join(words, "."))
	}
}

// Within reduces to within a width and a height, of which one may be 0, and enlarges when told to.
func (s *Steps) Within(w, h int, enlarge bool) {
	if w == 0 && h == 0 {
		return
	}
	mode := "c_limit"
	if enlarge {
		mode = "c_fit"
	}
	s.Add(sides(mode, w, h)...)
	if s.Width < 1 {
		return
	}
	by := math.Inf(1)
	if w > 0 {
		by = float64(w) / float64(s.Width)
	}
	if h > 0 {
		by = min(by, float64(h)/float64(s.Height))
	}
	if !enlarge {
		by = min(by, 1)
	}
	s.Size = Size{Whole(float64(s.Width) * by), Whole(float64(s.Height) * by)}
}

// Scale brings to a width and a height, whatever the aspect ratio.
func (s *Steps) Scale(w, h int) {
	if s.Size != (Size{w, h}) {
		s.Add(sides("c_scale", w, h)...)
		s.sized(w, h)
	}
}

// Fill covers a width and a height; place says what is kept: options such as "g_north".
func (s *Steps) Fill(w, h int, place ...string) {
	s.Add(append(sides("c_fill", w, h), place...)...)
	s.sized(w, h)
}

// Crop cuts a part out; place is as with Fill, or x and y.
func (s *Steps) Crop(w, h int, place ...string) {
	if s.Width > 0 {
		if w >= s.Width && h >= s.Height {
			return
		}
		w, h = min(w, s.Width), min(h, s.Height)
	}
	s.Add(append(sides("c_crop", w, h), place...)...)
	s.sized(w, h)
}

// Cut cuts out what of a rectangle lies in the picture.
func (s *Steps) Cut(x, y, w, h int) {
	if s.Width > 0 {
		x, y = min(x, s.Width-1), min(y, s.Height-1)
		w, h = min(w, s.Width-x), min(h, s.Height-y)
	}
	if s.Size != (Size{w, h}) {
		s.Add(append(sides("c_crop", w, h), Named("x", x), Named("y", y))...)
		s.sized(w, h)
	}
}

// LimitFill covers a width and a height as Fill does, without enlarging; what is smaller one way stays so.
func (s *Steps) LimitFill(w, h int, place ...string) {
	s.Add(append(sides("c_lfill", w, h), place...)...)
	if s.Width > 0 {
		by := min(1, max(float64(w)/float64(s.Width), float64(h)/float64(s.Height)))
		s.Size = Size{min(w, Whole(float64(s.Width)*by)), min(h, Whole(float64(s.Height)*by))}
	}
}

// Pad brings to within a width and a height and fills the rest; mode says whether it may enlarge.
func (s *Steps) Pad(mode string, w, h int, place ...string) {
	s.Add(append(sides(mode, w, h), place...)...)
	s.sized(w, h)
}

// Canvas puts the picture on a larger one without resizing it; place says where, as with Fill, and on what.
func (s *Steps) Canvas(w, h int, place ...string) error {
	if _, _, err := s.Measured(); err != nil {
		return err
	}
	if w, h = max(w, s.Width), max(h, s.Height); s.Size == (Size{w, h}) {
		return nil
	}
	s.Pad("c_lpad", w, h, place...)
	return nil
}

// Surround puts a ground around the picture, so many pixels above, to the right, below and to the left.
func (s *Steps) Surround(top, right, bottom, left int, ink string) error {
	if top == right && top == bottom && top == left {
		if top > 0 {
			s.Add(Named("bo", top) + "px_solid_" + ink)
		}
		if s.Width > 0 {
			s.Width, s.Height = s.Width+2*top, s.Height+2*top
		}
		return nil
	}
	if _, _, err := s.Measured(); err != nil {
		return err
	}
	place := []string{"g_north_west"}
	if left > 0 {
		place = append(place, Named("x", left))
	}
	if top > 0 {
		place = append(place, Named("y", top))
	}
	return s.Canvas(s.Width+left+right, s.Height+top+bottom, append(place, "b_"+ink)...)
}

func (s *Steps) sized(w, h int) {
	if !s.Forgotten {
		s.Size = Size{w, h}
	}
}

func sides(mode string, w, h int) []string {
	options := []string{mode}
	if w > 0 {
		options = append(options, Named("w", w))
	}
	if h > 0 {
		options = append(options, Named("h", h))
	}
	return options
}

// Whole rounds to pixels, of which there is at least one.
func Whole(f float64) int { return max(1, int(math.Round(min(f, math.MaxInt32)))) }

// Refuse is the error of what an address asks for and Calotype does not have.
func Refuse(format string, args ...any) error {
	return fault.New(fault.Invalid, NoCounterpart, "%s has no counterpart here", fmt.Sprintf(format, args...))
}

// Wrong is the error of an address that its own server would not take either.
func Wrong(format string, args ...any) error {
	return fault.New(fault.Invalid, "BAD_OPTIONS", format, args...)
}
