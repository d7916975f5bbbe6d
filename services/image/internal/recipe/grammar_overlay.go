package recipe

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// What stands before a digest in place of an image's identifier. Only Canonical writes it and only what reads it back takes it: a
// caller who could name bytes by their digest could look at those of others.
const digested = "sha256:"

// What stands before a text, and within it before one in base64url.
const (
	written = "text:"
	encoded = "b64:"
)

var overlayFlags = []string{"tiled", "cutter"}

// overlay reads a step of l_: w_, h_, g_, x_, y_, a_, b_ and fl_ of that step are the overlay's.
func (p *parser) overlay(t part) {
	before := len(p.fields)
	for _, key := range []string{"c", "e", "r", "bo"} {
		if o, there := t.options[key]; there {
			p.wrong(o, "in the step of l_, the sizes and places are the overlay's; part the steps by a slash")
		}
	}
	factor := 1.0
	if o, ok := t.options["dpr"]; ok {
		factor = p.decimal(o, MinDPR, MaxDPR)
	}
	s := Overlay{Gravity: Gravity(t.options["g"].value), X: p.offset(t.options["x"], factor), Y: p.offset(t.options["y"], factor)}
	l := t.options["l"]
	text, isText := strings.CutPrefix(l.value, written)
	digest, isDigest := strings.CutPrefix(l.value, digested)
	switch {
	case isText:
		s.Text = p.text(t, text, factor)
	case isDigest && p.inside:
		s.Digest = digest
	case isDigest:
		p.wrong(l, "an overlay is named by the identifier of its image")
	default:
		s.Image = l.value
	}
	if !isText {
		p.extents(t, &s, factor)
		for _, key := range []string{"co", "b"} {
			if o, there := t.options[key]; there {
				p.wrong(o, "%s_ goes with l_text in the step of l_", key)
			}
		}
	}
	if o, ok := t.options["o"]; ok {
		if s.Opacity = p.integer(o); s.Opacity == 0 && o.value == "0" {
			p.wrong(o, "0 is not within 1..100")
		}
	}
	if o, ok := t.options["a"]; ok {
		s.Angle = p.signed(o)
	}
	if o, ok := t.options["fl"]; ok {
		for word := range strings.SplitSeq(o.value, ".") {
			switch word {
			case "tiled":
				s.Tiled = true
			case "cutter":
				s.Mask = true
			default:
				p.wrong(o, "%s", wrongWord("flag of an overlay", word, overlayFlags))
			}
		}
	}
	if len(p.fields) == before {
		p.add(t, s)
	}
}

// stray finds what goes with overlays alone.
func (p *parser) stray(t part) {
	for _, key := range []string{"o", "co"} {
		if o, there := t.options[key]; there {
			p.wrong(o, "%s_ goes with the l_ of an overlay, in its step", key)
		}
	}
}

// extents reads what an image stays within: pixels, or parts of the picture as 0.2 is.
func (p *parser) extents(t part, s *Overlay, factor float64) {
	w, h := t.options["w"], t.options["h"]
	for i, o := range []option{w, h} {
		switch {
		case o.key == "":
		case w.key != "" && h.key != "" && integers.MatchString(w.value) != integers.MatchString(h.value):
			p.wrong(h, "%s is of the other kind: both are pixels, or both are parts as 0.2 is", w)
			return
		default:
			v := p.decimal(o, 0, math.Inf(1))
			if s.Relative = !integers.MatchString(o.value); !s.Relative {
				v = math.Round(v * factor)
			}
			if v == 0 {
				p.wrong(o, "0 is no size")
			}
			*[]*float64{&s.Width, &s.Height}[i] = v
		}
	}
}

var offsets = regexp.MustCompile(`^-?[0-9]{1,9}$`)

// offset reads pixels that may go the other way.
func (p *parser) offset(o option, factor float64) int {
	n, err := strconv.Atoi(o.value)
	switch {
	case o.key == "":
	case err != nil || !offsets.MatchString(o.value):
		p.wrong(o, "%.80q is no whole number", o.value)
	}
	return int(math.Round(float64(n) * factor))
}
