package recipe

import "slices"

// Options are the keys of all options, without the "_" that follows them.
func Options() []string { return slices.Clone(keys) }
