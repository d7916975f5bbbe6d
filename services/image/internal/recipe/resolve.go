package recipe

import (
	"fmt"
	"slices"

	"calotype/kit/fault"
)

// Default qualities. AVIF at 55 looks about as WebP and JPEG do at 80.
const (
	DefaultQuality     = 80
	DefaultAVIFQuality = 55
	DefaultJXLQuality  = 75
)

// maxWebPSide is what the format's 14 bits can hold.
const maxWebPSide = 16383

// Source is what an original is, as far as defaults follow from it.
type Source struct {
	Format   string // by content: "jpeg", "heic", ...
	HasAlpha bool
	Pages    int
	// Width and Height are pixels; 0 where they do not matter.
	Width, Height int
	// Bytes is what the file has; 0 where it does not matter.
	Bytes int64
}

// Resolve checks a recipe and fills in every default for one original, so that what is left to make depends on nothing else.
// Fails with fault.Invalid, reason BAD_RECIPE, and all faults at once.
func (r Recipe) Resolve(src Source) (Recipe, error) {
	if fields := r.Check(); len(fields) > 0 {
		return Recipe{}, bad(fields)
	}
	var out Recipe
	var fields []fault.Field
	for i, v := range r.Variants {
		for _, v := range src.of(v) {
			v = v.fill(src)
			for _, f := range v.checkResolved(src) {
				fields = append(fields, fault.Field{Path: fmt.Sprintf("variants[%d].%s", i, f.Path), Message: fmt.Sprintf("variant %q: %s", v.Name, f.Message)})
			}
			out.Variants = append(out.Variants, v)
		}
	}
	if len(fields) > 0 {
		return Recipe{}, bad(fields)
	}
	return out, nil
}

// Looked gives what Resolve looks at of a source: it makes equal recipes of sources that have it in common.
func (r Recipe) Looked(src Source) Source {
	src.Bytes = 0
	if !slices.ContainsFunc(r.Variants, func(v Variant) bool { return len(v.Widths) > 0 }) {
		src.Width, src.Height = 0, 0
	}
	return src
}

// Resolve does for one variant, named or not, what Recipe.Resolve does for all.
func (v Variant) Resolve(src Source) (Variant, error) {
	if fields := slices.Concat(v.single(), v.Check(), v.checkDecided()); len(fields) > 0 {
		return Variant{}, bad(fields)
	}
	v = v.fill(src)
	if fields := v.checkResolved(src); len(fields) > 0 {
		return Variant{}, bad(fields)
	}
	return v, nil
}

func bad(fields []fault.Field) error {
	return &fault.Error{Kind: fault.Invalid, Reason: "BAD_RECIPE", Message: "the recipe is wrong", Fields: fields}
}

// fill gives a checked variant its defaults. What a format that followed from the original cannot do is left out; what a format
// that was asked for cannot do was refused by Check.
func (v Variant) fill(src Source) Variant {
	v = v.normal()
	o := &v.Output
	if o.Format == Original {
		o.Format = src.output()
	}
	if !o.Format.Exact() {
		o.Lossless = false
	}
	switch {
	case !o.Format.Lossy() || o.Lossless:
		o.Quality, o.AutoQuality = 0, NoTarget
	case o.AutoQuality != NoTarget:
		o.Quality = 0
	case o.Quality == 0 && o.Format == AVIF:
		o.Quality = DefaultAVIFQuality
	case o.Quality == 0 && o.Format == JXL:
		o.Quality = DefaultJXLQuality
	case o.Quality == 0:
		o.Quality = DefaultQuality
	}
	o.Progressive = o.Progressive && o.Format.Interlaces()
	if !o.Format.Profiled() {
		o.Space = SRGB
	}
	o.Palette = o.Palette && o.Format == PNG
	if !o.Format.Subsamples() || o.Lossless || !o.Searches() && o.Chroma == Automatic.of(o.Quality) {
		o.Chroma = Automatic
	}
	if o.Page == 1 && (src.Pages == 1 || src.Format != "" && !Format(src.Format).Moves() || !o.Format.Moves()) {
		o.Page = 0
	}
	o.Background = o.Format.background(o.Background, Transparent)
	for i, s := range v.Steps {
		if pad, ok := s.(Resize); ok && pad.Mode.Pads() && pad.Background != Blurred {
			pad.Background = o.Format.background(pad.Background, o.Background)
			v.Steps[i] = pad
		}
	}
	return v
}

// output is the format in which an original's variants are written when nobody said another.
func (src Source) output() Format {
	if Format(src.Format).Shown() {
		return Format(src.Format)
	}
	if src.HasAlpha {
		return PNG
	}
	return JPEG
}

// background is a colour as the format can show it.
func (f Format) background(c, otherwise Color) Color {
	if c == "" {
		c = otherwise
	}
	if !f.Transparent() {
		return c.opaque()
	}
	return c
}

// checkResolved finds what only the original and the format that was filled in make wrong.
func (v Variant) checkResolved(src Source) []fault.Field {
	var fields []fault.Field
	if n := v.Output.Page; src.Pages > 0 && n > src.Pages {
		fields = append(fields, fault.Field{Path: "output.page", Message: fmt.Sprintf("there is no page %d: the original has %d", n, src.Pages)})
	}
	if v.Output.Format != WebP {
		return fields
	}
	for i, s := range v.Steps {
		if s, ok := s.(Resize); ok && s.Mode != Limit && s.Mode != LimitFill && max(s.Width, s.Height) > maxWebPSide {
			fields = append(fields, fault.Field{Path: fmt.Sprintf("operations[%d].resize", i), Message: fmt.Sprintf("webp holds at most %d pixels a side", maxWebPSide)})
		}
	}
	return fields
}
