package recipe

import "math"

// What encoders take that want a whole picture at once: pixels of a frame. More is refused by nodes, so that no default leads there.
const (
	MaxAVIFPixels = 12_500_000
	MaxWebPPixels = 40_000_000
	MaxJXLPixels  = 6_000_000
)

// holds reports whether a format takes what a variant of this original comes to. It says yes where the original's size is not known.
func (f Format) holds(v Variant, src Source) bool {
	w, h := v.extent(float64(src.Width), float64(src.Height))
	switch f {
	case AVIF:
		return w*h <= MaxAVIFPixels
	case JXL:
		return w*h <= MaxJXLPixels
	case WebP:
		return w*h <= MaxWebPPixels && max(w, h) <= maxWebPSide
	}
	return true
}

// extent is how large a variant of a picture becomes, to within the rounding of a pixel.
func (v Variant) extent(w, h float64) (float64, float64) {
	if w <= 0 || h <= 0 {
		return 0, 0
	}
	for _, s := range v.Steps {
		switch s := s.(type) {
		case Resize:
			w, h = s.extent(w, h)
		case Crop:
			w, h = min(w, float64(s.Width)), min(h, float64(s.Height))
		case Rotate:
			if s.Angle%180 != 0 {
				w, h = h, w
			}
		case Frame:
			w, h = w+2*float64(s.Border), h+2*float64(s.Border)
		}
	}
	return w, h
}

func (r Resize) extent(w, h float64) (float64, float64) {
	x, y := float64(r.Width)/w, float64(r.Height)/h
	one := r.Width == 0 || r.Height == 0
	switch {
	case one:
		x = max(x, y)
	case r.Mode == LimitFill:
		x = min(max(x, y), 1)
		return min(math.Ceil(w*x), float64(r.Width)), min(math.Ceil(h*x), float64(r.Height))
	case r.Mode == Limit || r.Mode == Fit || r.Mode == MinFit:
		x = min(x, y)
	default:
		return float64(r.Width), float64(r.Height)
	}
	switch r.Mode {
	case Limit:
		x = min(x, 1)
	case MinFit:
		x = max(x, 1)
	}
	return math.Ceil(w * x), math.Ceil(h * x)
}
