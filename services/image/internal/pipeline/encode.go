package pipeline

// #include "shim.h"
import "C"

import (
	"unsafe"

	"calotype/services/image/internal/recipe"
)

// codec is how an output format is written here.
type codec struct {
	id       C.int
	alpha    bool
	animated bool
	quality  int                    // the default
	side     int                    // pixels that a side may have
	weight   float64                // bytes that its encoder takes a pixel, with the result
	pixels   int64                  // that are encoded within a slot's memory and time; 0 means the general limit
	effort   func(pixels int64) int // by the pixels of all frames
}

func steady(effort int) func(int64) int { return func(int64) int { return effort } }

// What takes more than its rows at once: a palette is found in the whole picture, and an interlaced PNG is written from all of it.
const (
	maxQuantized  = 16e6
	maxInterlaced = 8e6 // it is compressed in one piece, too
)

// quantize is the effort to find a palette with.
func quantize(pixels int64) int {
	if pixels > 4e6 {
		return 1
	}
	return 7
}

// most is how many pixels an output may have; 0 means the general limit.
func (c codec) most(o recipe.Output) int64 {
	switch {
	case c.id == C.CT_PNG && o.Palette:
		return maxQuantized
	case c.id == C.CT_PNG && o.Progressive:
		return maxInterlaced
	}
	return c.pixels
}

// codecs holds what can be written. WebP's effort 2 costs 31 ms for a 512 px photograph where 4 costs 44 and saves 3%; AVIF's 1 costs
// 62 where 2 costs 75 and saves 1%, and 0 is left for pictures at which 1 would take seconds. An encoder that wants the whole picture
// at once takes 21 bytes a pixel for AVIF, 14 for GIF and 11 for WebP: that is what their limits are for.
var codecs = map[recipe.Format]codec{
	recipe.JPEG: {id: C.CT_JPEG, weight: 6, quality: recipe.DefaultQuality, side: 65500, effort: steady(0)},
	recipe.PNG:  {id: C.CT_PNG, weight: 6, alpha: true, quality: 100, side: 1 << 30, effort: steady(6)},
	recipe.WebP: {id: C.CT_WEBP, weight: 11, alpha: true, animated: true, quality: recipe.DefaultQuality, side: 16383, pixels: recipe.MaxWebPPixels, effort: steady(2)},
	recipe.GIF:  {id: C.CT_GIF, weight: 34, alpha: true, animated: true, quality: 100, side: 65535, pixels: maxQuantized, effort: quantize},
	recipe.AVIF: {id: C.CT_HEIF, weight: 21, alpha: true, quality: recipe.DefaultAVIFQuality, side: 16384, pixels: recipe.MaxAVIFPixels, effort: func(pixels int64) int {
		if pixels > 2e6 {
			return 0
		}
		return 1
	}},
	// Effort 3 takes 0.4 s a megapixel, and 7 twice that for 10% less bytes; either takes 43 bytes a pixel.
	recipe.JXL:  {id: C.CT_JXL, weight: 43, alpha: true, quality: recipe.DefaultJXLQuality, side: 1 << 18, pixels: recipe.MaxJXLPixels, effort: steady(3)},
	recipe.TIFF: {id: C.CT_TIFF, weight: 7, alpha: true, quality: 100, side: 1 << 20, effort: steady(0)},
	recipe.JSON: {weight: 4, alpha: true, side: 1 << 30},
}

// outputFormat settles what Original means for an original of a format.
func outputFormat(want recipe.Format, from string, alpha bool) recipe.Format {
	if want != recipe.Original {
		return want
	}
	if recipe.Format(from).Shown() {
		return recipe.Format(from)
	}
	if alpha {
		return recipe.PNG
	}
	return recipe.JPEG
}

// encode computes a picture and writes it.
func (im picture) encode(o recipe.Output, format recipe.Format, pixels int64) []byte {
	c := codecs[format]
	if im.hasAlpha() && !c.alpha {
		paper := read(o.Background)
		if paper[3] == 0 {
			paper = white
		}
		var values []float64
		im, values = colour{paper[0], paper[1], paper[2], 255}.on(im)
		im = im.flatten(values[:len(values)-1])
	}
	im = im.clean(o.KeepMetadata, o.KeepMetadata && !o.StripProfile && o.Space == recipe.SRGB).tagged()
	if !im.ok() {
		return nil
	}
	if o.Quality == 0 {
		o.Quality = c.quality
	}
	out := C.ct_output{format: c.id, quality: C.int(o.Quality), effort: C.int(c.effort(pixels)), lossless: flag(o.Lossless),
		keep: flag(o.KeepMetadata), profile: flag(o.Space == recipe.P3), progressive: flag(o.Progressive && format.Interlaces()), palette: flag(o.Palette && format == recipe.PNG),
		subsampled: flag(o.Subsampled())}
	if out.palette != 0 {
		out.effort = C.int(quantize(pixels))
	}
	var data unsafe.Pointer
	var n C.size_t
	if C.ct_save(im.p, &out, im.a.reins.c, &data, &n) != 0 {
		im.a.fail("encode " + string(format))
		return nil
	}
	defer C.g_free(C.gpointer(data))
	done := C.GoBytes(data, C.int(n))
	if format == recipe.JPEG && !o.KeepMetadata && o.Space == recipe.P3 {
		done = bareJPEG(done)
	}
	if format == recipe.WebP && !o.KeepMetadata {
		done = bareWebP(done, o.Space == recipe.P3)
	}
	return done
}
