package recipe

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"calotype/kit/fault"
)

// keys are the options' names, in the order in which they are told.
var keys = []string{"w", "h", "c", "g", "x", "y", "b", "a", "e", "f", "q", "dpr", "fl", "pg", "r", "bo", "l", "o", "co", "cs", "bytes", "t"}

// Parse reads the options of a variant as they stand in a URL: "w_512,h_512,c_fill,g_auto/e_sharpen:0.6/f_webp,q_80".
//
// Steps are parted by "/" and done in order; within a step, options are parted by "," and stand in any order. A step trims
// first (e_trim), then resizes or crops (w, h, c, g, x, y, b, dpr), then turns and mirrors (a), then blurs, sharpens, changes colours or makes mosaics (e),
// then rounds its corners (r) and gets a border (bo). The output's options (f, q, bytes, fl, pg, cs,
// and b outside of c_pad) may stand in any step, each once. In a step with an overlay (l, with o and co) the lengths, places, angles,
// colours and flags are the overlay's.
//
// Fails with fault.Invalid, reason BAD_OPTIONS, and all faults at once: each names the option, its step and its place, and the
// nearest right word.
func Parse(text string) (Variant, error) {
	if len(text) > MaxOptions {
		return Variant{}, unreadable([]fault.Field{tooLong()})
	}
	return parsed(parser{}, text)
}

// ParseCanonical reads what Canonical wrote, also what no caller may write: overlays by their digests.
func ParseCanonical(text string) (Variant, error) { return parsed(parser{inside: true}, text) }

func parsed(p parser, text string) (Variant, error) {
	v, fields := p.parse(text)
	if len(fields) > 0 {
		return Variant{}, unreadable(fields)
	}
	return v, nil
}

func unreadable(fields []fault.Field) error {
	return &fault.Error{Kind: fault.Invalid, Reason: "BAD_OPTIONS", Message: "the options are wrong", Fields: fields}
}

func tooLong() fault.Field {
	return fault.Field{Path: "options", Message: fmt.Sprintf("they are longer than %d characters", MaxOptions)}
}

func (p *parser) parse(text string) (Variant, []fault.Field) {
	p.outputs = map[string]option{}
	if text == "" {
		return p.v, nil
	}
	place := 1
	for i, part := range strings.Split(text, "/") {
		p.step(p.split(i, part, place))
		place += len(part) + 1
	}
	if len(p.v.Steps) > MaxSteps {
		p.fields = append(p.fields, fault.Field{Path: "options", Message: fmt.Sprintf("they ask for %d operations; at most %d are done", len(p.v.Steps), MaxSteps)})
	}
	p.v.Output = p.v.Output.over(p.preset)
	if len(p.fields) == 0 {
		p.report(checkOutput(p.v.Output), 0, p.outputs)
	}
	if len(p.fields) > 0 {
		return Variant{}, p.fields
	}
	return p.v.normal(), nil
}

// option is one "key_value", where it stands.
type option struct {
	key, value string
	step       int // from 0
	place      int // the character it begins with, from 1
}

func (o option) String() string { return o.key + "_" + o.value }

// part is a step's options by key.
type part struct {
	step    int
	options map[string]option
}

func (p part) has(keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { _, ok := p.options[k]; return ok })
}

// parser collects a variant and everything that is wrong with its text.
type parser struct {
	v       Variant
	inside  bool              // the text is our own
	outputs map[string]option // the output's options that were seen
	fields  []fault.Field
	fly     *Fly // nil where no request is answered
	told    Told
	preset  Output // of presets that are named
}

// wrong notes a fault of an option that is there.
func (p *parser) wrong(o option, format string, args ...any) {
	p.fields = append(p.fields, fault.Field{
		Path:    fmt.Sprintf("options[%d].%s", o.step, o.key),
		Message: fmt.Sprintf("%.80q (step %d, character %d): ", o.String(), o.step+1, o.place) + fmt.Sprintf(format, args...),
	})
}

// split takes a step's text apart.
func (p *parser) split(step int, text string, place int) part {
	out := part{step: step, options: map[string]option{}}
	for token := range strings.SplitSeq(text, ",") {
		key, value, cut := strings.Cut(token, "_")
		o := option{key: key, value: value, step: step, place: place}
		place += len(token) + 1
		earlier, twice := out.options[key]
		switch {
		case token == "":
			p.fields = append(p.fields, fault.Field{Path: fmt.Sprintf("options[%d]", step), Message: fmt.Sprintf("there is nothing at step %d, character %d, where an option is expected", step+1, o.place)})
		case !slices.Contains(keys, key):
			o.key = key
			p.unknown(o, token, out)
		case !cut || value == "":
			p.wrong(o, "a value is missing: %s_...", key)
		case twice:
			p.wrong(o, "%q stands in this step already", earlier.String())
		default:
			out.options[key] = o
		}
	}
	return out
}

func (p *parser) unknown(o option, token string, before part) {
	message := fmt.Sprintf("there is no option %q; there are %s", o.key, strings.Join(keys, "_, ")+"_")
	if key, value := asMeant(token); key != "" {
		message = fmt.Sprintf("there is no option %q; did you mean \"%s_%s\"?", o.key, key, value)
	} else if near := nearest(o.key, keys); near != "" {
		message = fmt.Sprintf("there is no option %q; did you mean %q?", o.key, near+"_")
	}
	if strings.HasPrefix(before.options["l"].value, written) {
		message += "; a comma in a text is written %2C, and %252C in an address"
	}
	p.fields = append(p.fields, fault.Field{
		Path:    fmt.Sprintf("options[%d]", o.step),
		Message: fmt.Sprintf("%.80q (step %d, character %d): %s", token, o.step+1, o.place, message),
	})
}

var loose = regexp.MustCompile(`^([a-z]+)[_=:-]?([a-z0-9.:_]*)$`)

// asMeant reads "w512", "w=512" and "width_512" as "w_512".
func asMeant(token string) (key, value string) {
	m := loose.FindStringSubmatch(token)
	if m == nil || m[2] == "" {
		return "", ""
	}
	if slices.Contains(keys, m[1]) {
		return m[1], m[2]
	}
	if key := known[m[1]]; slices.Contains(keys, key) {
		return key, m[2]
	}
	return "", ""
}
