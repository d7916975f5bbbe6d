package recipe

import (
	"strconv"
	"strings"
)

// Target is how near a result is to come to what was encoded, where its quality is found by measuring.
type Target string

// The targets, the nearest first. None leaves the quality as it is given.
const (
	NoTarget   Target = ""
	TargetBest Target = "best"
	TargetGood Target = "good"
	TargetEco  Target = "eco"
	TargetLow  Target = "low"
)

// MinBytes is the least that MaxBytes may ask for, and MostBytes the most.
const (
	MinBytes  = 256
	MostBytes = 999_999_999
)

// Searches reports whether the quality is found while the result is made.
func (o Output) Searches() bool { return o.AutoQuality != NoTarget || o.MaxBytes > 0 }

func checkSearch(c *checker, o Output) {
	if o.AutoQuality != NoTarget {
		if !member(string(o.AutoQuality), targets) {
			c.fault("auto_quality", "%s", wrongWord("automatic quality", string(o.AutoQuality), targets))
		}
		if o.Quality != 0 {
			c.fault("auto_quality", "a quality is given as well; choose one")
		}
	}
	if o.MaxBytes != 0 && (o.MaxBytes < MinBytes || o.MaxBytes > MostBytes) {
		c.fault("max_bytes", "%d is not within %d..%d", o.MaxBytes, MinBytes, MostBytes)
	}
}

// quality writes a number or a target.
func (o *options) quality(out Output) {
	if out.AutoQuality != NoTarget {
		o.text("q", "auto:"+string(out.AutoQuality))
		return
	}
	o.number("q", out.Quality)
}

func (o *options) bytes(n int64) {
	if n != 0 {
		o.text("bytes", strconv.FormatInt(n, 10))
	}
}

// autoQuality reads what follows "auto" in q_auto and q_auto:eco.
func (p *parser) autoQuality(o option) {
	word, value, given := strings.Cut(o.value, ":")
	switch {
	case word != "auto":
		p.wrong(o, "%s", wrongWord("quality", word, []string{"auto"}))
	case !given:
		p.v.Output.AutoQuality = TargetGood
	case member(value, targets):
		p.v.Output.AutoQuality = Target(value)
	default:
		p.wrong(o, "%s", wrongWord("automatic quality", value, targets))
	}
}

// maxBytes reads bytes_50000.
func (p *parser) maxBytes(o option) {
	before := len(p.fields)
	n := p.integer(o)
	if len(p.fields) == before && (n < MinBytes || n > MostBytes) { // here, too, so that it is told beside what else cannot be read
		p.wrong(o, "%d is not within %d..%d", n, MinBytes, MostBytes)
		return
	}
	p.v.Output.MaxBytes = int64(n)
}
