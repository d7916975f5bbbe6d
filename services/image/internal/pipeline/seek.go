package pipeline

// #include "shim.h"
// #include "ssim.h"
import "C"

import (
	"runtime"
	"unsafe"

	"calotype/services/image/internal/recipe"
)

// What a search may cost: a quality is measured at most so often, on at most so many pixels.
const (
	trials = 5
	tiles  = 4  // across, and down
	tile   = 64 // pixels of a side, at most: whole blocks of every encoder
)

// most pixels of a sample.
const sampled = tiles * tiles * tile * tile

// targets are how far a result may be from what was encoded: DSSIM, (1-SSIM)/2. Photographs 1024 pixels wide come to 0.014 as
// JPEG of quality 80, 0.016 as WebP of 80 and 0.022 as AVIF of 55, in the mean; each by itself to between a third and twice that.
var targets = map[recipe.Target]float64{recipe.TargetBest: 0.009, recipe.TargetGood: 0.018, recipe.TargetEco: 0.027, recipe.TargetLow: 0.042}

// reach is between which qualities a format's is looked for, in steps that are too fine to be seen: as many as trials tell apart.
type reach struct{ least, step int }

// reaches are those of the formats whose quality can be found; the others keep their default.
var reaches = map[recipe.Format]reach{recipe.JPEG: {34, 2}, recipe.WebP: {34, 2}, recipe.AVIF: {28, 2}}

// encoded writes a variant's frames; a quality that is left to it is found by measuring.
func (j *call) encoded(a *arena, p plan, done []picture) []byte {
	o := p.Output
	pixels := p.out.pixels() * int64(p.frames)
	if o.Searches() && len(done) == 1 && pixels*4 <= int64(j.engine.limits.Memory)/4 {
		done[0] = done[0].memory() // it is read several times
	}
	if o.AutoQuality != recipe.NoTarget {
		o = done[0].measured(o, p.format, pixels)
	}
	strip := frames(a, done)
	if o.MaxBytes > 0 {
		return j.fitted(strip, o, p.format, pixels)
	}
	return strip.encode(o, p.format, pixels)
}

// measured finds the lowest quality of an output that comes as near as is asked for to a sample of the picture.
func (im picture) measured(o recipe.Output, format recipe.Format, pixels int64) recipe.Output {
	s, ok := reaches[format]
	if !ok || !im.ok() {
		return o
	}
	a := im.a.reins.arena()
	defer a.free()
	sample := im.in(a).sample().memory()
	target := targets[o.AutoQuality]
	o.AutoQuality = recipe.NoTarget
	trial := o
	trial.KeepMetadata, trial.Progressive = false, false
	low, high := 0, 1<<trials-1 // steps of the reach
	for low < high && a.err == nil {
		middle := (low + high) / 2
		trial.Quality = s.least + s.step*middle
		if sample.distance(sample.encode(trial, format, pixels), format) <= target {
			high = middle
		} else {
			low = middle + 1
		}
	}
	if a.err != nil {
		im.a.err = a.err
	}
	o.Quality = s.least + s.step*low
	if format == recipe.WebP && a.err == nil && sample.flat() {
		o = sample.bare(o, trial, pixels)
	}
	return o
}

// A picture of more colours than this, in its sample, is no drawing, and is not tried without loss.
const few = 4096

// flat reports whether a sample has few colours.
func (im picture) flat() bool {
	m := im.pixels()
	if m == nil {
		return false
	}
	seen := map[[3]byte]struct{}{}
	for i := 0; i < len(m.Pix) && len(seen) <= few; i += 4 {
		seen[[3]byte(m.Pix[i:])] = struct{}{}
	}
	return len(seen) <= few
}

// bare gives up loss where a webp of the sample is no larger without.
func (im picture) bare(o, trial recipe.Output, pixels int64) recipe.Output {
	trial.Quality = o.Quality
	lossy := len(im.encode(trial, recipe.WebP, pixels))
	trial.Quality, trial.Lossless = 0, true
	if lossless := len(im.encode(trial, recipe.WebP, pixels)); im.ok() && lossless <= lossy {
		o.Quality, o.Lossless = 0, true
	}
	return o
}

// sample gives what is measured of a picture, without its transparency: all of a small one, else tiles from all over it.
func (im picture) sample() picture {
	if im.hasAlpha() {
		var values []float64
		im, values = white.on(im)
		im = im.flatten(values[:len(values)-1])
	}
	if s := im.size(); s.pixels() > sampled {
		w, h := max(1, min(tile, s.w/tiles)), max(1, min(tile, s.h/tiles))
		var list []picture
		for i := range tiles * tiles {
			x, y := i%tiles, i/tiles
			list = append(list, im.extract(rect{(2*x+1)*s.w/(2*tiles) - w/2, (2*y+1)*s.h/(2*tiles) - h/2, w, h}))
		}
		im = frames(im.a, list)
	}
	return im.do("take a sample", func(out **C.VipsImage) C.int { return C.ct_page_height(im.p, C.int(im.size().h), out) })
}

// distance says how far what was encoded of a picture is from it: DSSIM.
func (im picture) distance(data []byte, format recipe.Format) float64 {
	if !im.ok() || len(data) == 0 {
		return 0
	}
	a := im.a.reins.arena()
	var pin runtime.Pinner
	defer pin.Unpin()
	defer a.free()
	pin.Pin(&data[0])
	var out *C.VipsImage
	back := a.own(C.ct_load(codecs[format].id, unsafe.Pointer(&data[0]), C.size_t(len(data)), 1, 1, 0, 1, 0, a.reins.c, &out), out, "read "+string(format))
	back = back.first(3)
	if im.bands() == 1 && back.bands() == 3 {
		back = back.convert(C.VIPS_INTERPRETATION_B_W)
	}
	back = back.memory()
	var index C.double
	if back.ok() && C.ct_ssim(im.p, back.p, &index) != 0 {
		a.fail("compare")
	}
	if a.err != nil {
		im.a.err = a.err
	}
	return (1 - float64(index)) / 2
}
