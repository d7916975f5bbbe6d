package recipe

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// flags by name; Cloudinary calls the first fl_keep_iptc.
var flags = []string{"keep_metadata", "strip_profile", "lossless", "progressive", "png8", "chroma_420", "chroma_444", "best"}

// output takes the output's options out of one part of the text.
func (p *parser) output(t part) {
	seen := map[string]option{}
	for _, key := range []string{"b", "f", "q", "bytes", "fl", "pg", "cs"} {
		o, ok := t.options[key]
		if !ok || key == "b" && Mode(t.options["c"].value).Pads() || (key == "b" || key == "fl") && t.has("l") {
			continue
		}
		if earlier, twice := p.outputs[key]; twice {
			p.wrong(o, "%q stands in step %d already", earlier.String(), earlier.step+1)
			continue
		}
		p.outputs[key], seen[key] = o, o
	}
	out := &p.v.Output
	if o, ok := seen["b"]; ok {
		out.Background = p.color(o)
	}
	if o, ok := seen["f"]; ok {
		p.format(o)
	}
	if o, ok := seen["q"]; ok {
		out.Quality = p.quality(o)
	}
	if o, ok := seen["bytes"]; ok {
		p.maxBytes(o)
	}
	if o, ok := seen["fl"]; ok {
		p.flags(o)
	}
	if o, ok := seen["cs"]; ok {
		p.space(o)
	}
	if o, ok := seen["pg"]; ok {
		if out.Page = p.integer(o); out.Page == 0 && o.value == "0" {
			p.wrong(o, "pages are counted from 1")
		}
	}
}

func (p *parser) format(o option) {
	if f, ok := formatOf(o.value); ok {
		p.v.Output.Format = f
	} else if o.value == string(Negotiated) {
		p.v.Output.Format = Negotiated
	} else {
		p.wrong(o, "%s", wrongWord("format", o.value, append([]string{"auto"}, formats...)))
	}
}

func (p *parser) quality(o option) int {
	if strings.HasPrefix(o.value, "aut") {
		p.autoQuality(o)
		return 0
	}
	number, chroma, chosen := strings.Cut(o.value, ":")
	n := p.integer(option{key: o.key, value: number, step: o.step, place: o.place})
	if n == 0 && number == "0" {
		p.wrong(o, "0 is not within 1..100")
	}
	if chosen && !member(chroma, chromas) {
		p.wrong(o, "%s", wrongWord("chroma subsampling", chroma, chromas))
	} else if chosen {
		p.chroma(o, Chroma(chroma))
	}
	return n
}

// chroma notes what q_80:444 and fl_chroma_444 say alike.
func (p *parser) chroma(o option, c Chroma) {
	if before := p.v.Output.Chroma; before != Automatic && before != c {
		p.wrong(o, "the chroma subsampling is %s already", before)
	}
	p.v.Output.Chroma = c
}

func (p *parser) flags(o option) {
	for word := range strings.SplitSeq(o.value, ".") {
		switch word {
		case "keep_metadata", "keep_iptc":
			p.v.Output.KeepMetadata = true
		case "strip_profile":
			p.v.Output.StripProfile = true
		case "lossless":
			p.v.Output.Lossless = true
		case "progressive":
			p.v.Output.Progressive = true
		case "png8":
			p.v.Output.Palette = true
		case "best":
			p.v.Output.Scaling = Best
		case "chroma_420", "chroma_444":
			p.chroma(o, Chroma(strings.TrimPrefix(word, "chroma_")))
		default:
			p.wrong(o, "%s", wrongWord("flag", word, flags))
		}
	}
}

// color reads a colour; Cloudinary's "rgb:" before it is understood.
func (p *parser) color(o option) Color {
	if o.key == "" {
		return ""
	}
	c, ok := Color(strings.TrimPrefix(o.value, "rgb:")).normal()
	if !ok || c == "" {
		p.wrong(o, "%s", wrongWord("colour", o.value, []string{"transparent", "white", "black", "rgb", "rrggbb", "rrggbbaa"}))
	}
	return c
}

var (
	integers = regexp.MustCompile(`^[0-9]{1,9}$`)
	decimals = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6})?$`)
)

func (p *parser) integer(o option) int {
	if integers.MatchString(o.value) {
		n, _ := strconv.Atoi(o.value)
		return n
	}
	if decimals.MatchString(o.value) || o.value == "auto" || o.value == "iw" || o.value == "ih" {
		p.wrong(o, "only whole numbers are understood: pixels, not parts of the original")
	} else {
		p.wrong(o, "%.80q is no whole number", o.value)
	}
	return 0
}

func (p *parser) decimal(o option, least, most float64) float64 {
	f, err := strconv.ParseFloat(o.value, 64)
	switch {
	case err != nil || !decimals.MatchString(o.value):
		p.wrong(o, "%.80q is no number, as 1.5 is", o.value)
	case f < least || f > most:
		p.wrong(o, "%s is not within %g..%g", o.value, least, most)
	case math.IsInf(f, 0):
		p.wrong(o, "it is too great")
	}
	return f
}
