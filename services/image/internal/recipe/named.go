package recipe

import (
	"fmt"
	"strings"

	"calotype/kit/fault"
)

// ParseNamed reads variants of the form "name:options", for example "small:w_320,f_webp".
// Fails with fault.Invalid, reason BAD_OPTIONS, and all faults at once, under paths like "variants[0].options[1].w". Whether
// names are right and differ is for Recipe.Check to say, which sees all of a recipe's.
func ParseNamed(specs []string) ([]Variant, error) {
	var variants []Variant
	var fields []fault.Field
	if len(specs) > MaxVariants {
		fields = append(fields, fault.Field{Path: "variants", Message: fmt.Sprintf("there are %d variants; at most %d are made", len(specs), MaxVariants)})
		specs = nil
	}
	for i, spec := range specs {
		name, options, ok := strings.Cut(spec, ":")
		if !ok {
			fields = append(fields, fault.Field{Path: fmt.Sprintf("variants[%d]", i), Message: fmt.Sprintf(`%.80q is not "name:options", as "small:w_320,f_webp" is`, spec)})
			continue
		}
		v, faults := parseNamed(name, options)
		fields = append(fields, prefixed(fmt.Sprintf("variants[%d].", i), faults)...)
		variants = append(variants, v)
	}
	if len(fields) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_OPTIONS", Message: "the variants' options are wrong", Fields: fields}
	}
	return variants, nil
}

func parseNamed(name, options string) (Variant, []fault.Field) {
	var p parser
	v, fields := Variant{}, []fault.Field{tooLong()}
	if len(options) <= MaxOptions {
		v, fields = p.parse(options)
	}
	for i := range fields {
		fields[i].Message = fmt.Sprintf("variant %.80q: %s", name, fields[i].Message)
	}
	v.Name = name
	return v, fields
}
