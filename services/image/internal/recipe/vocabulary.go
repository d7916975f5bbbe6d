package recipe

import "slices"

// Words are the values of an option that are words.
type Words struct {
	Option string
	Words  []string
}

// Vocabulary is every option whose values are words, ordered, for who wants to know what there is.
func Vocabulary() []Words {
	all := []Words{
		{"a", turns}, {"c", cropModes}, {"cs", spaces}, {"e", effects()}, {"f", append([]string{string(Negotiated)}, formats...)},
		{"fl", slices.Concat(flags, overlayFlags)}, {"g", gravities(seeking...)},
	}
	for i := range all {
		all[i].Words = slices.Sorted(slices.Values(all[i].Words))
	}
	return all
}
