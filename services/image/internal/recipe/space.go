package recipe

// Space is the colour space of a result, in the word the URL uses.
type Space string

// The colour spaces. SRGB needs no profile: it is what a picture without one is taken for. P3 is Display P3.
const (
	SRGB Space = ""
	P3   Space = "p3"
)

// srgb is how SRGB is written by those who write it.
const srgb Space = "srgb"

var spaces = []string{string(srgb), string(P3)}

func (s Space) normal() Space {
	if s == srgb {
		return SRGB
	}
	return s
}

// Profiled reports whether results in the format can hold a colour profile, without which no other space than sRGB can be told.
func (f Format) Profiled() bool { return f == JPEG || f == PNG || f == WebP || f == AVIF }

func (c *checker) space(o Output) {
	switch {
	case o.Space != SRGB && !member(string(o.Space), spaces):
		c.fault("color_space", "%s", wrongWord("colour space", string(o.Space), spaces))
	case o.Space == P3 && member(string(o.Format), formats) && !o.Format.Profiled():
		c.fault("color_space", "p3 needs a profile, which jpeg, png, webp and avif hold, and %s does not", o.Format)
	}
}

// space reads cs_p3.
func (p *parser) space(o option) {
	if !member(o.value, spaces) {
		p.wrong(o, "%s", wrongWord("colour space", o.value, spaces))
		return
	}
	p.v.Output.Space = Space(o.value).normal()
}
