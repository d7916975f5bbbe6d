package thumbor

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"calotype/gateway/internal/compat"
	"calotype/kit/fault"
)

// FuzzThumbor looks for a path that ends in anything but an answer, a refusal or a question for the size, and for one that asks for it again.
func FuzzThumbor(f *testing.F) {
	for _, path := range []string{
		"/unsafe/trim:top-left:50/10x20:110x220/adaptive-full-fit-in/-300xorig/10x10:10x10/left/top/smart/filters:quality(80):fill(red)/https%3A%2F%2Fa%2Fb.jpg",
		"/unsafe/0.1x0.2:0.5x1.0/stretch/300x-200/filters:focal(146x206:279x360):proportion(0.5):no_upscale():round_corner(20|20,0,0,0,1)/b64:aHR0cA",
		"/unsafe/fit-in/300x300/filters:fill(blur):blur(7,2):hue(290):rotate(90):format(webp):max_bytes(40000)/a/b.jpg",
	} {
		f.Add(path, 400, 300)
	}
	f.Fuzz(func(t *testing.T, path string, width, height int) {
		a, err := (Reader{}).Read(path)
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
		if strings.ContainsAny(options, "NI ?#%\n") || url.PathEscape(options) != strings.ReplaceAll(strings.ReplaceAll(options, "/", "%2F"), ",", "%2C") {
			t.Errorf("%q of %d x %d is said as %q", path, width, height, options)
		}
	})
}
