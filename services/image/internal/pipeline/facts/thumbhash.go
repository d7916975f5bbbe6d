package facts

import (
	"encoding/base64"
	"image"
	"math"
)

// thumbHash is Evan Wallace's ThumbHash (evanw.github.io/thumbhash), in base64: a few waves of lightness, of two colour differences and
// of opacity, together with the shape.
func thumbHash(im *image.NRGBA) string {
	im = reduce(im, within(im, 100))
	s := im.Bounds().Size()
	n := s.X * s.Y
	var mean [3]float64
	opaque := 0.0
	for i := range n {
		c := im.Pix[4*i:]
		alpha := float64(c[3]) / 255
		for k := range mean {
			mean[k] += alpha / 255 * float64(c[k])
		}
		opaque += alpha
	}
	if opaque > 0 {
		for k := range mean {
			mean[k] /= opaque
		}
	}
	l, p, q, a := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		c := im.Pix[4*i:]
		alpha := float64(c[3]) / 255
		var rgb [3]float64 // on the mean colour
		for k := range rgb {
			rgb[k] = mean[k]*(1-alpha) + alpha/255*float64(c[k])
		}
		l[i], p[i], q[i], a[i] = (rgb[0]+rgb[1]+rgb[2])/3, (rgb[0]+rgb[1])/2-rgb[2], rgb[0]-rgb[1], alpha
	}

	clear := opaque < float64(n)
	most := 7.0 // waves of lightness
	if clear {
		most = 5
	}
	long := float64(max(s.X, s.Y))
	lx, ly := max(1, int(math.Floor(most*float64(s.X)/long+0.5))), max(1, int(math.Floor(most*float64(s.Y)/long+0.5)))
	channels := []waves{transform(l, s, max(3, lx), max(3, ly)), transform(p, s, 3, 3), transform(q, s, 3, 3)}
	if clear {
		channels = append(channels, transform(a, s, 5, 5))
	}
	return base64.StdEncoding.EncodeToString(pack(channels, s.X > s.Y, lx, ly))
}

// waves is what a channel is made of: its mean, and how much of each wave, 0..1 around a half, at a scale.
type waves struct {
	mean, scale float64
	parts       []float64
}

// transform is the lower left triangle of a DCT-II.
func transform(v []float64, s image.Point, nx, ny int) (out waves) {
	fx := make([]float64, s.X)
	for cy := range ny {
		for cx := 0; cx*ny < nx*(ny-cy); cx++ {
			f := 0.0
			for x := range fx {
				fx[x] = math.Cos(math.Pi / float64(s.X) * float64(cx) * (float64(x) + 0.5))
			}
			for y := range s.Y {
				fy := math.Cos(math.Pi / float64(s.Y) * float64(cy) * (float64(y) + 0.5))
				for x := range fx {
					f += v[x+y*s.X] * fx[x] * fy
				}
			}
			f /= float64(s.X * s.Y)
			if cx == 0 && cy == 0 {
				out.mean = f
				continue
			}
			out.parts = append(out.parts, f)
			out.scale = max(out.scale, math.Abs(f))
		}
	}
	if out.scale > 0 {
		for i := range out.parts {
			out.parts[i] = 0.5 + 0.5/out.scale*out.parts[i]
		}
	}
	return out
}

// pack writes lightness, two colour differences and, where there is one, opacity.
func pack(c []waves, wide bool, lx, ly int) []byte {
	whole := func(f float64) uint32 { return uint32(math.Floor(f + 0.5)) }
	flag := func(b bool, bit int) uint32 {
		if b {
			return 1 << bit
		}
		return 0
	}
	head := whole(63*c[0].mean) | whole(31.5+31.5*c[1].mean)<<6 | whole(31.5+31.5*c[2].mean)<<12 | whole(31*c[0].scale)<<18 | flag(len(c) > 3, 23)
	short := lx
	if wide {
		short = ly
	}
	tail := uint32(short) | whole(63*c[1].scale)<<3 | whole(63*c[2].scale)<<9 | flag(wide, 15)
	hash := []byte{byte(head), byte(head >> 8), byte(head >> 16), byte(tail), byte(tail >> 8)}
	if len(c) > 3 {
		hash = append(hash, byte(whole(15*c[3].mean)|whole(15*c[3].scale)<<4))
	}
	n := 0
	for _, channel := range c {
		for _, f := range channel.parts {
			if n%2 == 0 {
				hash = append(hash, 0)
			}
			hash[len(hash)-1] |= byte(whole(15*f) << (n % 2 * 4))
			n++
		}
	}
	return hash
}
