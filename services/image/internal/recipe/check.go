package recipe

import (
	"fmt"
	"regexp"
	"strings"

	"calotype/kit/fault"
)

var validName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// Check finds everything that is wrong with a recipe, whatever the original. Paths are written as in JSON:
// "variants[1].output.quality"; messages name the variant.
func (r Recipe) Check() []fault.Field {
	n := 0
	for _, v := range r.Variants {
		n += max(1, len(v.Widths))
	}
	if n == 0 || n > MaxVariants {
		return []fault.Field{{Path: "variants", Message: fmt.Sprintf("there are %d variants; 1..%d are needed", n, MaxVariants)}}
	}
	var fields []fault.Field
	first := map[string]int{}
	for i, v := range r.Variants {
		at := fmt.Sprintf("variants[%d]", i)
		faults := v.checkSet()
		for _, one := range v.named(len(faults) > 0) {
			if !validName.MatchString(one.Name) {
				fields = append(fields, fault.Field{Path: at + ".name", Message: fmt.Sprintf("%.80q is not 1..%d of a-z, 0-9, '-', '_'", one.Name, MaxName)})
			} else if j, twice := first[one.Name]; twice {
				fields = append(fields, fault.Field{Path: at + ".name", Message: fmt.Sprintf("%q is the name of variants[%d] already", one.Name, j)})
			} else {
				first[one.Name] = i
			}
			if len(faults) == 0 {
				faults = append(one.Check(), one.checkDecided()...)
			}
		}
		for _, f := range faults {
			fields = append(fields, fault.Field{Path: at + "." + f.Path, Message: fmt.Sprintf("variant %.80q: %s", v.Name, f.Message)})
		}
	}
	return append(fields, r.checkOverlays()...)
}

// Check finds everything that is wrong with a variant but for its name, which not every variant has.
func (v Variant) Check() []fault.Field {
	if n := len(v.Steps); n > MaxSteps {
		return []fault.Field{{Path: "operations", Message: fmt.Sprintf("there are %d operations; at most %d are done", n, MaxSteps)}}
	}
	var fields []fault.Field
	for i, s := range v.Steps {
		for _, f := range checkStep(s) {
			f.Path = strings.TrimSuffix(fmt.Sprintf("operations[%d].%s", i, f.Path), ".")
			fields = append(fields, f)
		}
	}
	return append(fields, checkOutput(v.Output)...)
}

// checkDecided finds a format that only a request can decide.
func (v Variant) checkDecided() []fault.Field {
	if v.Output.Format != Negotiated {
		return nil
	}
	return []fault.Field{{Path: "output.format", Message: `"auto" is decided by a request's Accept header, which a job has none of; name a format`}}
}

func checkOutput(o Output) []fault.Field {
	c := checker{of: "output"}
	switch {
	case o.Format == Original, o.Format == Negotiated:
	case !member(string(o.Format), formats):
		c.fault("format", "%s", wrongWord("format", string(o.Format), formats))
	case o.Quality != 0 && !o.Format.Lossy():
		c.fault("quality", "%s takes no quality", o.Format)
	case o.Lossless && !o.Format.Exact():
		c.fault("lossless", "lossless is for webp, avif and jxl, not for %s", o.Format)
	case o.Lossless && o.Format == AVIF && o.Chroma == Chroma420:
		c.fault("chroma", "what is lossless keeps the colour differences of each pixel")
	case o.Progressive && !o.Format.Interlaces():
		c.fault("progressive", "progressive is for jpeg and png, not for %s", o.Format)
	case o.Palette && o.Format != PNG:
		c.fault("palette", "a palette is for png, not for %s", o.Format)
	case o.Chroma != Automatic && !o.Format.Subsamples():
		c.fault("chroma", "a choice of chroma subsampling is for jpeg and avif, not for %s", o.Format)
	}
	if o.Chroma != Automatic && !member(string(o.Chroma), chromas) {
		c.fault("chroma", "%s", wrongWord("chroma subsampling", string(o.Chroma), chromas))
	}
	c.scaling(o.Scaling)
	c.space(o)
	c.within("page", o.Page, 0, MaxPage)
	if o.Quality != 0 {
		c.within("quality", o.Quality, 1, 100)
		if o.Lossless {
			c.fault("quality", "what is lossless takes no quality")
		}
	}
	checkSearch(&c, o)
	c.color("background", o.Background)
	return c.fields
}

// checker collects what is wrong with one part of a variant.
type checker struct {
	of     string
	fields []fault.Field
}

func (c *checker) fault(field, format string, args ...any) {
	c.fields = append(c.fields, fault.Field{Path: c.of + "." + field, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) within(field string, n, least, most int) {
	if n < least || n > most {
		c.fault(field, "%d is not within %d..%d", n, least, most)
	}
}

func (c *checker) sigma(s, least, most float64) {
	if !(s >= least && s <= most) { // so that NaN is wrong too
		c.fault("sigma", "%g is not within %g..%g", s, least, most)
	}
}

func (c *checker) color(field string, color Color) {
	if _, ok := color.normal(); !ok {
		c.fault(field, `%.80q is no colour; write "rrggbb", "rrggbbaa" or "transparent"`, color)
	}
}

func member(word string, set []string) bool {
	for _, w := range set {
		if w == word {
			return true
		}
	}
	return false
}

func prefixed(path string, fields []fault.Field) []fault.Field {
	for i := range fields {
		fields[i].Path = path + fields[i].Path
	}
	return fields
}
