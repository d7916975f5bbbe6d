package onthefly

import (
	"strings"
	"time"

	"calotype/kit/fault"
)

// Unsigned says which addresses are served without a signature while keys are set.
type Unsigned string

// The policies.
const (
	NoneUnsigned    Unsigned = "none"
	PresetsUnsigned Unsigned = "presets" // those whose every step is a preset's variant
	AllUnsigned     Unsigned = "all"
)

// Policies are all of them.
func Policies() []Unsigned { return []Unsigned{NoneUnsigned, PresetsUnsigned, AllUnsigned} }

// admits reports whether a path needs no signature.
func (u Unsigned) admits(path string) bool {
	switch u {
	case AllUnsigned:
		return true
	case PresetsUnsigned:
		steps := strings.Split(path, "/")
		for _, s := range steps[:len(steps)-1] {
			if !strings.HasPrefix(s, "t_") || strings.Contains(s, ",") {
				return false
			}
		}
		return len(steps) > 1
	}
	return false
}

// admit gives the path behind an address, and when it expires, or refuses it.
func (h *Handler) admit(address string, now time.Time) (path string, end time.Time, err error) {
	path, end, err = h.Keys.Verify(address, now)
	if fault.ReasonOf(err) == missing && h.Unsigned.admits(address) {
		return address, time.Time{}, nil
	}
	return path, end, err
}
