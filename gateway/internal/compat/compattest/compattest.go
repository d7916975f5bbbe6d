// Package compattest says what holds of everybody who reads other servers' addresses. It knows none of those servers.
package compattest

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"calotype/gateway/internal/compat"
	"calotype/kit/fault"
)

// Original is the size of the image that the tests' addresses are of.
var Original = compat.Size{Width: 400, Height: 300}

// Find gives for any source an image that its last part names.
func Find(source string) (string, error) { return compat.Sources{}.Find(source) }

// Says checks which source a path names, and in which options it is said; those are the same where the size is not known, unless it is
// asked for.
func Says(t *testing.T, d compat.Dialect, path, source, want string) {
	t.Helper()
	a, err := d.Read(path)
	if err != nil || a.Source != source {
		t.Errorf("%s: %q, %v", path, a.Source, err)
		return
	}
	got, err := a.Options(Original)
	if err != nil || got != want {
		t.Errorf("%s\n got %q, %v\nwant %q", path, got, err, want)
	}
	if again, err := a.Options(Original); err != nil || again != got {
		t.Errorf("%s is said otherwise the second time: %q, %v", path, again, err)
	}
	if without, err := a.Options(compat.Size{}); !errors.Is(err, compat.ErrUnmeasured) && (err != nil || without != got) {
		t.Errorf("%s of an image of no known size: %q, %v", path, without, err)
	}
}

// Refused gives the error with which a path is refused when it is read, or when it is translated.
func Refused(d compat.Dialect, path string) *fault.Error {
	a, err := d.Read(path)
	if err == nil {
		_, err = a.Options(Original)
	}
	return fault.As(err)
}

// Fuzz checks that a path ends in nothing but an answer, a refusal or a question for the size, and that it does not ask for it again.
func Fuzz(t *testing.T, d compat.Dialect, path string, width, height int) {
	t.Helper()
	a, err := d.Read(path)
	if err != nil {
		if wrong := fault.As(err); wrong == nil || wrong.Kind != fault.Invalid && wrong.Kind != fault.NotFound || wrong.Message == "" {
			t.Fatalf("%q is refused by %v", path, err)
		}
		return
	}
	options, err := a.Options(compat.Size{})
	if errors.Is(err, compat.ErrUnmeasured) {
		width, height = 1+(width&0x7fff), 1+(height&0x7fff)
		options, err = a.Options(compat.Size{Width: width, Height: height})
	}
	if err != nil {
		if fault.ReasonOf(err) != compat.NoCounterpart {
			t.Fatalf("%q of %d x %d is refused by %v", path, width, height, err)
		}
		return
	}
	plain := strings.NewReplacer("/", "%2F", ",", "%2C").Replace(options)
	if strings.ContainsAny(options, " ?#%\n") || strings.Contains(options, "NaN") || strings.Contains(options, "Inf") || url.PathEscape(options) != plain {
		t.Errorf("%q of %d x %d is said as %q", path, width, height, options)
	}
}
