package pipeline

import (
	"fmt"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// Mezzanine is the longest side, in pixels, of the reduced copies of large originals from which their variants are made; 0 is none.
type Mezzanine int

// Bounds of a Mezzanine.
const (
	leastMezzanine = 256
	mostMezzanine  = recipe.MaxSide
)

// Validate refuses copies of which hardly anything could be made.
func (m Mezzanine) Validate() []fault.Field {
	if m == 0 || m >= leastMezzanine && m <= mostMezzanine {
		return nil
	}
	return []fault.Field{{Message: fmt.Sprintf("%d is not within %d..%d, nor 0, which is no copies", int(m), leastMezzanine, mostMezzanine)}}
}

// copyQuality is that of copies, which keep the colour differences of every second pixel: whatever is made of one is at most half as wide, and has
// all of them.
const copyQuality = 93

// Copy is the variant that is the copy.
func (m Mezzanine) Copy() recipe.Variant {
	return recipe.Variant{Name: "mezzanine", Steps: []recipe.Step{m.resize()},
		Output: recipe.Output{Format: recipe.JPEG, Quality: copyQuality, Chroma: recipe.Chroma420}}
}

func (m Mezzanine) resize() recipe.Resize {
	return recipe.Resize{Mode: recipe.Limit, Width: int(m), Height: int(m)}
}

// Reduces reports whether a file may be an original of which a copy is made. It is a quick look: Suits has the last word.
func (m Mezzanine) Reduces(data []byte) bool {
	h, err := probe.Read(data, probe.Guarded()...)
	return err == nil && m.reduces(h.Format, h.Frames, h.Width, h.Height)
}

// reduces reports whether an original is one picture that is clearly larger than its copy: by half, at least.
func (m Mezzanine) reduces(format string, frames, width, height int) bool {
	return m > 0 && frames == 1 && format != probe.GIF && !drawn(format) && 2*max(width, height) >= 3*int(m)
}

// Suits reports whether each of some resolved variants may be made of the copy of an original: it begins by making it smaller, to half the
// copy's size at most, and asks for nothing that only the original has.
func (m Mezzanine) Suits(original job.Picture, variants []recipe.Variant) bool {
	if original.HasAlpha || !m.reduces(original.Format, original.Pages, original.Width, original.Height) {
		return false
	}
	from := size{original.Width, original.Height}
	small := scaled(m.resize(), from)
	scale := min(float64(small.w)/float64(from.w), float64(small.h)/float64(from.h))
	for _, v := range variants {
		f, err := foresee(v.Steps, from)
		if err != nil || f.trims || max(f.enough, reserve*f.needed) > scale*(1+rounding) || exacting(v.Output) {
			return false
		}
	}
	return true
}

// rounding is how much of a scale may be due to sides being whole numbers of pixels.
const rounding = 0.01

// exacting reports whether an output wants what a copy does not have: pixels without loss, or as good as that, other colours than
// sRGB's, what the file tells of itself, or another page.
func exacting(o recipe.Output) bool {
	return !o.Format.Lossy() || o.Lossless || o.Quality > copyQuality || o.Scaling == recipe.Best || o.Space != recipe.SRGB || o.KeepMetadata || o.Page > 1
}

// room is by how much what a decoder makes of a copy must be larger than what is made of that. Copies are sharp from pixel to pixel, as
// originals hardly are, so that the decoder's own reduction shows where not much is reduced after it: 41.7 dB in place of 50.1 for 960 pixels of 2560.
const room = 1.5

// shrink is by how much the decoder may reduce a copy of which a scale is wanted.
func (v view) shrink(scale float64) int {
	left, by := float64(v.stored.w)/(float64(v.from.w)*scale), 8
	for by > 1 && left < room*float64(by) {
		by /= 2
	}
	return by
}
