package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
)

// Secret is a text that does not show itself: printing, logging or encoding it tells only whether it is set.
type Secret string

// Reveal gives the text itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[set]"
}

// GoString keeps %#v from showing it.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// LogValue keeps slog from showing it.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON keeps encoders from showing it.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText keeps encoders from showing it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Size is a number of bytes, written as "1048576", "512KiB", "64MiB", "10GB".
type Size int64

// The binary units.
const (
	KiB Size = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

var units = []struct {
	suffix string
	size   Size
}{
	{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText reads a size. Units of 1024 end in "iB"; those of 1000 in "B" alone.
func (s *Size) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	number, unit := text, Size(1)
	for _, u := range units {
		if n := len(text) - len(u.suffix); n > 0 && strings.EqualFold(text[n:], u.suffix) {
			number, unit = strings.TrimSpace(text[:n]), u.size
			break
		}
	}
	if i, err := strconv.ParseInt(number, 10, 64); err == nil {
		if i < 0 || i > math.MaxInt64/int64(unit) {
			return fmt.Errorf("%q is out of range", text)
		}
		*s = Size(i) * unit
		return nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || unit == 1 || !(f >= 0) || f*float64(unit) >= math.MaxInt64 {
		return fmt.Errorf("%q is not a size such as 512KiB, 64MiB or 10GB", text)
	}
	*s = Size(f * float64(unit))
	return nil
}

// String writes a size in the largest unit that leaves it exact.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%u.size == 0 && s/u.size < 100_000 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
