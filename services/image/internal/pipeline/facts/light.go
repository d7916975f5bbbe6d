package facts

import (
	"image"
	"math"
)

// plane is one number of 0..255 a pixel.
type plane struct {
	w, h int
	v    []float64
}

// lightness is Rec. 601's luma, on white where a picture lets through.
func lightness(im *image.NRGBA) plane {
	s := im.Bounds().Size()
	p := plane{s.X, s.Y, make([]float64, s.X*s.Y)}
	for i := range p.v {
		c := im.Pix[4*i : 4*i+4]
		a := float64(c[3]) / 255
		p.v[i] = 255*(1-a) + a*(0.299*float64(c[0])+0.587*float64(c[1])+0.114*float64(c[2]))
	}
	return p
}

// entropy is Shannon's, of how often each of 256 lightnesses is there: 0 for one, 8 for all alike.
func (p plane) entropy() float64 {
	var counts [256]float64
	for _, v := range p.v {
		counts[int(v)]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			share := n / float64(len(p.v))
			bits -= share * math.Log2(share)
		}
	}
	return math.Abs(bits)
}

// sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000).
func (p plane) sharpness() float64 {
	sum, squares, n := 0.0, 0.0, 0.0
	for y := 1; y < p.h-1; y++ {
		for x := 1; x < p.w-1; x++ {
			i := y*p.w + x
			d := p.v[i-1] + p.v[i+1] + p.v[i-p.w] + p.v[i+p.w] - 4*p.v[i]
			sum, squares, n = sum+d, squares+d*d, n+1
		}
	}
	if n == 0 {
		return 0
	}
	return max(0, squares/n-sum/n*(sum/n))
}
