package pipeline

import (
	"calotype/services/image/internal/recipe"
)

// fitted encodes a picture into at most so many bytes as its output may have. The first try is the output as it is asked for; then the
// highest quality below is found by halving, which takes 7 more for what 1..100 holds. A png is tried with a palette instead.
func (j *call) fitted(im picture, o recipe.Output, format recipe.Format, pixels int64) []byte {
	most := int(o.MaxBytes)
	try := func(o recipe.Output) []byte { return im.encode(o, format, pixels) }
	best := try(o)
	least := len(best)
	switch {
	case !im.ok() || least <= most:
		return best
	case format == recipe.PNG && !o.Palette && pixels <= maxQuantized && capabilities().Palette:
		o.Palette = true
		best = try(o)
		least = min(least, len(best))
	case format.Lossy() && !o.Lossless:
		if o.Quality == 0 {
			o.Quality = codecs[format].quality
		}
		best = nil
		low, high := 0, o.Quality-1 // what fits is above the first, or is not there; what does not is above the second
		for low < high && im.ok() {
			o.Quality = (low + high + 1) / 2
			data := try(o)
			if least = min(least, len(data)); len(data) <= most {
				best, low = data, o.Quality
			} else {
				high = o.Quality - 1
			}
		}
	}
	if im.ok() && (best == nil || len(best) > most) {
		im.a.err = tooLarge("%d bytes is the least that %s comes to, where %d are asked for; make it smaller", least, format, most)
		return nil
	}
	return best
}
