package recipe

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// effect reads e_word:value:value.
func (p *parser) effect(t part, o option) {
	word, values := o.values()
	switch {
	case word == "blur" || word == "sharpen":
		p.deviation(t, o, word, values, Region{})
	case word == "pixelate":
		p.pixelate(t, o, values, Region{})
	case member(word, regional): // with the size of the step, which is the region's
	case word == "gradient":
		p.gradient(t, o, values)
	case word == "convolve":
		p.convolve(t, o, values)
	case word == "trim": // before the size of the step
	case member(word, adjustments):
		p.adjust(t, o, Effect(word), values)
	default:
		p.wrong(o, "%s", wrongWord("effect", word, effects()))
	}
}

// values takes word:value:value apart.
func (o option) values() (word string, values []string) {
	word, rest, given := strings.Cut(o.value, ":")
	if given {
		values = strings.Split(rest, ":")
	}
	return word, values
}

func (p *parser) deviation(t part, o option, word string, values []string, r Region) {
	if len(values) != 1 {
		p.wrong(o, "it needs the standard deviation in pixels, for example e_%s:1.5", word)
		return
	}
	before := len(p.fields)
	sigma := p.decimal(o.of(values[0]), 0, math.Inf(1))
	if len(p.fields) > before {
		return
	}
	if word == "sharpen" {
		p.add(t, Sharpen{Sigma: sigma})
	} else {
		p.add(t, Blur{Sigma: sigma, Region: r})
	}
}

// adjust reads an amount and colours, in the order of the effect's example; an amount that has a usual value may be left out where
// nothing follows it.
func (p *parser) adjust(t part, o option, word Effect, values []string) {
	s, scale := Adjust{Effect: word}, scales[word]
	if scale.shares {
		p.shares(t, o, s, values)
		return
	}
	amount, first := 0, 1
	if word == Duotone {
		amount, first = 2, 0
	}
	takes := scale.colors
	if scale.most > 0 {
		takes++
	}
	least := takes
	if scale.usual != 0 && amount == takes-1 {
		least--
	}
	if len(values) < least || len(values) > takes {
		p.wrong(o, "it has %d values, as in e_%s", takes, scale.example)
		return
	}
	before := len(p.fields)
	if scale.most > 0 && amount < len(values) {
		s.Amount = p.signed(o.of(values[amount]))
		if s.Amount == 0 && scale.usual != 0 && len(p.fields) == before {
			p.wrong(o, "0 is not within %g..%g", scale.least, scale.most)
		}
	}
	for i, c := range []*Color{&s.Color, &s.Light}[:scale.colors] {
		*c = p.color(o.of(values[first+i]))
	}
	if len(p.fields) == before {
		p.add(t, s)
	}
}

// shares reads an amount for each of red, green and blue.
func (p *parser) shares(t part, o option, s Adjust, values []string) {
	if len(values) != 3 {
		p.wrong(o, "it has 3 values, as in e_%s", scales[s.Effect].example)
		return
	}
	before := len(p.fields)
	for i, share := range []*float64{&s.Red, &s.Green, &s.Blue} {
		*share = p.signed(o.of(values[i]))
	}
	if len(p.fields) == before {
		p.add(t, s)
	}
}

// of is a part of an option's value, which stands where the option does.
func (o option) of(value string) option {
	o.value = value
	return o
}

var signs = regexp.MustCompile(`^-?[0-9]{1,6}(\.[0-9]{1,6})?$`)

func (p *parser) signed(o option) float64 {
	f, err := strconv.ParseFloat(o.value, 64)
	if err != nil || !signs.MatchString(o.value) {
		p.wrong(o, "%.80q is no number, as -1.5 is", o.value)
		return 0
	}
	return f
}

func (o *options) blur(s Blur) {
	if s.Region == (Region{}) {
		o.text("e", "blur:"+decimal(s.Sigma))
		return
	}
	o.text("e", blurRegion+":"+decimal(s.Sigma))
	o.region(s.Region)
}
