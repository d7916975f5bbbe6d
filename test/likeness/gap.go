// Package likeness measures for tests how far two pictures are apart: as the eye sees it, and in decibels. It is built without the race
// detector, which would make its arithmetic ten times slower and has nothing to see in it.
package likeness

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// Gap is how far two pictures are apart as the eye sees it: the mean and the largest difference of their pixels in CIELAB (CIE 1976), in
// which 2.3 is just noticed side by side. Pictures of two sizes are infinitely far apart.
type Gap struct{ Mean, Most float64 }

func (g Gap) String() string { return fmt.Sprintf("%.2f in the mean and %.1f at most", g.Mean, g.Most) }

// Beyond is whether the pictures are further apart than bound allows.
func (g Gap) Beyond(bound Gap) bool { return !(g.Mean <= bound.Mean && g.Most <= bound.Most) }

// GapOf looks at pictures with transparency on white and on black, and takes the worse.
func GapOf(a, b image.Image) Gap {
	s := a.Bounds().Size()
	if s != b.Bounds().Size() {
		return Gap{math.Inf(1), math.Inf(1)}
	}
	var worse Gap
	for _, paper := range []float64{1, 0} {
		sum, most := 0.0, 0.0
		for y := range s.Y {
			for x := range s.X {
				p, q := lab(a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y), paper), lab(b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y), paper)
				d := math.Sqrt((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]) + (p[2]-q[2])*(p[2]-q[2]))
				sum, most = sum+d, max(most, d)
			}
		}
		worse = Gap{max(worse.Mean, sum/float64(s.X*s.Y)), max(worse.Most, most)}
	}
	return worse
}

// lab is a colour on a paper of some grey, taken for sRGB, by D65.
func lab(c color.Color, paper float64) [3]float64 {
	r, g, b, a := c.RGBA() // multiplied by opacity
	rest := paper * (1 - float64(a)/65535)
	linear := func(v uint32) float64 {
		f := float64(v)/65535 + rest
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	lr, lg, lb := linear(r), linear(g), linear(b)
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124564*lr + 0.3575761*lg + 0.1804375*lb) / 0.95047)
	y := f(0.2126729*lr + 0.7151522*lg + 0.0721750*lb)
	z := f((0.0193339*lr + 0.1191920*lg + 0.9503041*lb) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}
