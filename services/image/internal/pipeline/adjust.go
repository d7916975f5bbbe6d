package pipeline

// #include "shim.h"
import "C"

import (
	"math"
	"unsafe"

	"calotype/services/image/internal/recipe"
)

// adjust changes the colours of a settled picture, pixel by pixel and therefore row by row, unless they must be counted first: what works
// on each colour by itself by a table, what mixes them by a matrix. All leave transparency alone.
func (im picture) adjust(s recipe.Adjust) picture {
	switch s.Effect {
	case recipe.Equalize:
		return im.equalize()
	case recipe.Noise:
		return im.noise(s.Amount)
	case recipe.Grayscale:
		if im.bands() < 3 {
			return im
		}
		return im.mix(grey[:1], [3]float64{}).label(C.VIPS_INTERPRETATION_B_W)
	}
	if f := each(s, im.a.space); f != nil {
		switch s.Effect {
		case recipe.Tint:
			im, _ = read(s.Color).on(im)
		case recipe.RGB:
			if im.bands() < 3 && (s.Red != s.Green || s.Green != s.Blue) {
				im = im.convert(C.VIPS_INTERPRETATION_sRGB)
			}
		}
		return im.mapped(f)
	}
	if im.bands() < 3 {
		if s.Effect == recipe.Saturation || s.Effect == recipe.Hue {
			return im // grey has neither
		}
		im = im.convert(C.VIPS_INTERPRETATION_sRGB)
	}
	m, more := blend(s, im.a.space)
	return im.mix(m[:], more)
}

// each gives what an effect does to red, green and blue of 0..255 when it does it to each by itself, else nil. Brightness,
// contrast and RGB are as thumbor and imagor have them.
func each(s recipe.Adjust, in recipe.Space) func(v float64, band int) float64 {
	share := s.Amount / 100
	switch s.Effect {
	case recipe.Brightness:
		return func(v float64, _ int) float64 { return v + 255*share }
	case recipe.RGB:
		shares := [3]float64{s.Red, s.Green, s.Blue}
		return func(v float64, band int) float64 { return v + 255*shares[band]/100 }
	case recipe.Contrast:
		by := 259 * (255*share + 255) / (255 * (259 - 255*share))
		return func(v float64, _ int) float64 { return by*(v-128) + 128 }
	case recipe.Gamma:
		return func(v float64, _ int) float64 { return 255 * math.Pow(v/255, 1/s.Amount) }
	case recipe.Negate:
		return func(v float64, _ int) float64 { return 255 - v }
	case recipe.Tint:
		ink := read(s.Color).seen(in)
		return func(v float64, band int) float64 { return v + (ink[band]-v)*share }
	}
	return nil
}

// matrix makes each of red, green and blue of all three.
type matrix [3][3]float64

var (
	same = matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}

	// From the W3C's Filter Effects Module, 1: how light the colours are, what turns hues by sine and cosine, and sepia.
	luma  = [3]float64{0.213, 0.715, 0.072}
	grey  = matrix{luma, luma, luma}
	sine  = matrix{{-0.213, -0.715, 0.928}, {0.143, 0.140, -0.283}, {-0.787, 0.715, 0.072}}
	brown = matrix{{0.393, 0.769, 0.189}, {0.349, 0.686, 0.168}, {0.272, 0.534, 0.131}}
)

// plus adds another matrix, by a factor.
func (m matrix) plus(by float64, n matrix) matrix {
	for i := range m {
		for k := range m[i] {
			m[i][k] += by * n[i][k]
		}
	}
	return m
}

// blend gives the matrix of an effect that mixes colours, and what is added afterwards.
func blend(s recipe.Adjust, in recipe.Space) (m matrix, more [3]float64) {
	share := s.Amount / 100
	switch s.Effect {
	case recipe.Saturation:
		m = same.plus(share, same).plus(-share, grey)
	case recipe.Hue:
		sin, cos := math.Sincos(s.Amount * math.Pi / 180)
		m = grey.plus(cos, same).plus(-cos, grey).plus(sin, sine)
	case recipe.Sepia:
		m = same.plus(-share, same).plus(share, brown)
	case recipe.Duotone:
		dark, light := read(s.Color).seen(in), read(s.Light).seen(in)
		m = same.plus(-share, same)
		for i := range m {
			for k := range m[i] {
				m[i][k] += share * (light[i] - dark[i]) / 255 * luma[k]
			}
			more[i] = share * dark[i]
		}
	}
	return m, more
}

// mapped looks each colour up; f is asked for all of them beforehand.
func (im picture) mapped(f func(v float64, band int) float64) picture {
	if !im.ok() {
		return im
	}
	bands := im.bands()
	tables := make([]byte, 256*bands)
	for v := range 256 {
		for band := range bands {
			to := float64(v)
			if band < bands-1 || !im.hasAlpha() {
				to = f(to, band)
			}
			tables[v*bands+band] = byte(math.Round(min(max(to, 0), 255)))
		}
	}
	return im.do("map colours", func(out **C.VipsImage) C.int { return C.ct_map(im.p, unsafe.Pointer(&tables[0]), out) })
}

// mix makes as many colours as there are rows, each of all.
func (im picture) mix(rows [][3]float64, more [3]float64) picture {
	var flat, plus []C.double
	for i, row := range rows {
		plus = append(plus, C.double(more[i]+0.5)) // what follows cuts off
		for _, by := range row {
			flat = append(flat, C.double(by))
		}
		if im.hasAlpha() {
			flat = append(flat, 0)
		}
	}
	if im.hasAlpha() {
		flat, plus = append(flat, 0, 0, 0, 1), append(plus, 0.5)
	}
	return im.do("mix colours", func(out **C.VipsImage) C.int {
		return C.ct_mix(im.p, &flat[0], &plus[0], C.int(len(plus)), out)
	})
}
