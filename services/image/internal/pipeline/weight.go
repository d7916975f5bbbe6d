package pipeline

import (
	"slices"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// What a call takes whatever it does, and what streaming takes for each pixel of a row: the rows that wait between steps.
const (
	least  = 4 << 20
	perRow = 1 << 10
	// An animation's encoder keeps something for each frame, and some canvases to compare frames: bytes a pixel.
	perFrame = 64 << 10
	canvases = 16
)

// Weigh foresees the bytes of memory that Render takes at its peak for resolved variants, beside the original's own, from what the file's
// outline and the recipe tell: no pixel is decoded, and the picture library not asked. It errs on the side of more. What Render refuses
// weighs next to nothing. The bytes a pixel were measured with libvips 8.14; docs/images.md lists them.
func (e *Engine) Weigh(in job.Input, variants []recipe.Variant) int64 {
	h, err := probe.Read(in.Data, e.allowed...)
	if err != nil || e.limits.admit(h, len(in.Data)) != nil {
		return least
	}
	own := size{h.Width, h.Height}
	j := &call{engine: e, blind: true, header: h, format: h.Format, first: view{from: own, stored: own, orientation: 1, alpha: h.Format != probe.JPEG}}
	if in.Stands != nil {
		j.first.from, j.format, j.first.alpha = size{in.Stands.Width, in.Stands.Height}, in.Stands.Format, false
	}
	for i, v := range variants {
		p, err := j.plan(i, v)
		if err != nil {
			return least
		}
		j.plans = append(j.plans, p)
	}
	return j.weight(j.groups(), in.Layers)
}

// weight is what a call takes whose plans are made.
func (j *call) weight(groups [][]plan, layers map[job.Digest][]byte) int64 {
	weight, results := 0.0, 0.0
	for _, group := range groups {
		weight = max(weight, j.weigh(group, j.streams(group)))
		if j.header.Exif > 0 { // it may have to be turned, and is held then
			weight = max(weight, j.weigh(group, false))
		}
		for _, p := range group {
			results += float64(p.out.pixels()) * float64(p.frames) / 2
		}
	}
	for _, layer := range layers {
		if h, err := probe.Read(layer); err == nil {
			most, _ := decoder(h, reading{scale: 1})
			weight += most + 4*float64(h.Pixels())
		}
	}
	return least + int64(weight+results)
}

// weigh is the peak of one decode: the decoder goes before anything is encoded, unless rows stream through both.
func (j *call) weigh(group []plan, streams bool) float64 {
	scale := enough(group)
	how := j.reading(group[0].page, scale, group[0].frames)
	reads, keeps := decoder(j.header, how)
	rows := perRow * float64(j.header.Width) / float64(how.shrink)
	held := 0.0
	if !streams {
		held = float64(j.held(group))
	}
	encoder := 0.0
	for _, p := range group {
		encoder = max(encoder, p.weight(held, len(group) == 1))
	}
	if streams {
		return max(reads, keeps+encoder) + rows
	}
	return held + max(reads+rows, encoder)
}

// decoder is what a decoder takes at its peak, and what it keeps while its rows are read, in bytes.
func decoder(h probe.Header, how reading) (most, keeps float64) {
	pixels, deep := float64(max(h.Pixels(), h.Coded)), 1.0
	if h.Deep {
		deep = 2
	}
	switch h.Format {
	case probe.JPEG:
		if h.Scans > 1 {
			most = 2 * float64(h.Coefficients)
		}
	case probe.PNG:
		if h.Interlaced {
			most = 8 * deep * pixels
		} else {
			most = (deep - 1) * 4 * perRow * float64(h.Width)
		}
	case probe.WebP:
		most = 8 * pixels * how.scale * how.scale
		if h.Lossless {
			most += 4 * pixels
		}
	case probe.GIF:
		most = 8 * pixels
	case probe.AVIF:
		return 8.5*pixels + (deep-1)*10.5*pixels, 4 * deep * pixels
	case probe.HEIC:
		return 6.5 * deep * pixels, 4 * deep * pixels
	case probe.JXL:
		most = 20 * pixels
	case probe.TIFF, probe.BMP:
		most = 4 * pixels
	case probe.SVG, probe.PDF:
		most = 8 * max(4e6, pixels*how.scale*how.scale) // their own sizes are the renderer's to tell
	}
	return most, most
}

// weight is what making and encoding one variant takes beside the base that is held, which an animation's frames may take the place of.
func (p plan) weight(held float64, last bool) float64 {
	c, out := codecs[p.format], float64(p.out.pixels())
	bytes := c.weight * out
	if p.format == recipe.PNG && (p.Output.Palette || p.Output.Progressive) {
		bytes = 14 * out
	}
	bytes += perRow * float64(p.out.w)
	if p.frames > 1 {
		bytes += canvases*out + float64(p.frames)*(perFrame+out/8) // with the result
		if p.goesOn() {
			made := 4 * out * float64(p.frames)
			if last {
				made = max(0, made-held)
			}
			bytes += made
		}
	}
	if slices.ContainsFunc(p.Steps, seeks) {
		bytes += 7 * float64(p.largest) // the whole is made, and looked at
	} else if len(p.Steps) > 1 {
		bytes += min(4*perRow*float64(p.out.w), 7*float64(p.largest))
	}
	return bytes
}

// seeks reports whether a step makes the whole of a picture before it goes on.
func seeks(s recipe.Step) bool {
	switch s := s.(type) {
	case recipe.Crop:
		return s.Gravity.Seeks()
	case recipe.Resize:
		return s.Mode.Fills() && s.Gravity.Seeks() || s.Background == recipe.Blurred
	case recipe.Trim:
		return true
	}
	return false
}
