package likeness

import (
	"image"
	"math"
)

// Light is how light the pixels of a picture are, as JPEG has it, 0..255.
type Light struct {
	w, h int
	v    []float64
}

// LightOf takes no notice of transparency.
func LightOf(m image.Image) Light {
	s := m.Bounds().Size()
	l := Light{s.X, s.Y, make([]float64, s.X*s.Y)}
	for y := range s.Y {
		for x := range s.X {
			r, g, b, _ := m.At(x, y).RGBA()
			l.v[y*s.X+x] = (0.299*float64(r) + 0.587*float64(g) + 0.114*float64(b)) / 257
		}
	}
	return l
}

// Reduced is the reference for reducing: Lanczos of 3 lobes, both ways over all pixels at once, in floating point.
func (l Light) Reduced(w, h int) Light {
	out := l.across(w).turned().across(h).turned()
	for i, v := range out.v {
		out.v[i] = min(max(v, 0), 255)
	}
	return out
}

// Part is a part of the picture, which it must hold.
func (l Light) Part(x, y, w, h int) Light {
	out := Light{w: w, h: h}
	for row := y; row < y+h; row++ {
		out.v = append(out.v, l.v[row*l.w+x:row*l.w+x+w]...)
	}
	return out
}

func (l Light) turned() Light {
	t := Light{l.h, l.w, make([]float64, len(l.v))}
	for y := range l.h {
		for x := range l.w {
			t.v[x*l.h+y] = l.v[y*l.w+x]
		}
	}
	return t
}

func (l Light) across(w int) Light {
	out := Light{w, l.h, make([]float64, w*l.h)}
	by := float64(l.w) / float64(w)
	for x := range w {
		at := (float64(x)+0.5)*by - 0.5
		first := int(math.Ceil(at - 3*by))
		var weights []float64
		sum := 0.0
		for i := first; float64(i) <= at+3*by; i++ {
			weights = append(weights, lanczos((float64(i)-at)/by))
			sum += weights[len(weights)-1]
		}
		for y := range l.h {
			v := 0.0
			for i, weight := range weights {
				v += weight * l.v[y*l.w+min(max(first+i, 0), l.w-1)]
			}
			out.v[y*w+x] = v / sum
		}
	}
	return out
}

func lanczos(x float64) float64 {
	if x == 0 {
		return 1
	}
	if math.Abs(x) >= 3 {
		return 0
	}
	return 3 * math.Sin(math.Pi*x) * math.Sin(math.Pi*x/3) / (math.Pi * math.Pi * x * x)
}

// PSNR is the peak signal-to-noise ratio of two pictures of one size, in decibels; of two sizes there is none, and it is negative without end.
func PSNR(a, b Light) float64 {
	if a.w != b.w || a.h != b.h {
		return math.Inf(-1)
	}
	sum := 0.0
	for i := range a.v {
		sum += (a.v[i] - b.v[i]) * (a.v[i] - b.v[i])
	}
	return 10 * math.Log10(255*255*float64(len(a.v))/sum)
}
