package recipe

// Scaling says how pictures are made smaller.
type Scaling string

// The scalings.
const (
	Fast Scaling = ""     // as far as decoders can, which is cheap; contracts also call it "fast"
	Best Scaling = "best" // from at least twice the size
)

var scalings = []string{"fast", string(Best)}

func (s Scaling) normal() Scaling {
	if s == "fast" {
		return Fast
	}
	return s
}

func (c *checker) scaling(s Scaling) {
	if s != Fast && !member(string(s), scalings) {
		c.fault("scaling", "%s", wrongWord("scaling", string(s), scalings))
	}
}
