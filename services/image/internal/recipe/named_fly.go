package recipe

import (
	"fmt"
	"slices"
	"strings"

	"calotype/kit/fault"
)

// named reads t_card and t_web:w320: the steps of a preset's variant stand here in its place, and its output counts where the options
// say nothing else.
func (p *parser) named(t part) {
	o, ok := t.options["t"]
	if !ok {
		return
	}
	if p.fly == nil {
		p.wrong(o, "t_ stands in addresses under /i/ only; a job runs a whole preset")
		return
	}
	for _, key := range keys {
		if other, there := t.options[key]; there && !slices.Contains([]string{"t", "f", "q", "bytes", "fl"}, key) {
			p.wrong(other, "it stands beside %s, which has steps of its own; part the two by a slash", o)
			return
		}
	}
	if p.fly.AnyPreset {
		return
	}
	v, wrong := p.fly.Presets.find(o.value)
	if wrong != "" {
		p.wrong(o, "%s", wrong)
		return
	}
	v = v.normal()
	p.v.Steps = append(p.v.Steps, v.Steps...)
	p.preset = v.Output.over(p.preset)
}

// find gives a preset's variant by "preset:variant", or by the preset's name alone where that is the variant's too, or there is one only.
func (c Catalog) find(text string) (_ Variant, wrong string) {
	name, variant, given := strings.Cut(text, ":")
	preset, err := c.Get(name)
	if err != nil {
		return Variant{}, fault.As(err).Fields[0].Message
	}
	var all []Variant
	var names []string
	for _, v := range preset.Recipe.Variants {
		for _, one := range v.each() {
			all, names = append(all, one), append(names, one.Name)
		}
	}
	if !given {
		variant = name
		if len(all) == 1 {
			variant = names[0]
		}
	}
	if i := slices.Index(names, variant); i >= 0 {
		return all[i], ""
	}
	if !given {
		return Variant{}, fmt.Sprintf("the preset makes %d pictures; name one: t_%s:%s", len(all), name, strings.Join(names, ", t_"+name+":"))
	}
	return Variant{}, wrongWord("variant of "+name, variant, names)
}

// over gives an output with what it leaves open taken from another one. What that says of how a format is encoded does not count for
// another format.
func (o Output) over(under Output) Output {
	if o.Format != Original && o.Format != under.Format {
		under.Quality, under.AutoQuality, under.Lossless, under.Progressive, under.Palette, under.Chroma = 0, NoTarget, false, false, false, Automatic
	}
	if o.Quality != 0 || o.AutoQuality != NoTarget || o.Lossless {
		under.Quality, under.AutoQuality, under.Lossless = 0, NoTarget, false
	}
	all := under
	set(&all.Format, o.Format)
	set(&all.Quality, o.Quality)
	set(&all.AutoQuality, o.AutoQuality)
	set(&all.MaxBytes, o.MaxBytes)
	set(&all.KeepMetadata, o.KeepMetadata)
	set(&all.StripProfile, o.StripProfile)
	set(&all.Background, o.Background)
	set(&all.Lossless, o.Lossless)
	set(&all.Progressive, o.Progressive)
	set(&all.Palette, o.Palette)
	set(&all.Chroma, o.Chroma)
	set(&all.Page, o.Page)
	set(&all.Scaling, o.Scaling)
	set(&all.Space, o.Space)
	return all
}

// set replaces a value by one that says something.
func set[T comparable](to *T, by T) {
	var nothing T
	if by != nothing {
		*to = by
	}
}
