package imgproxy

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"calotype/gateway/internal/compat"
	"calotype/kit/fault"
)

// FuzzImgproxy looks for a path that ends in anything but an answer, a refusal or a question for the size, and for one that asks for it again.
func FuzzImgproxy(f *testing.F) {
	for _, path := range []string{
		"/_/rs:fill:300:400:0:1:no/g:sm/pd:10/plain/http://example.com/a%40b.jpg@png", "/_/c:0.5:0:fp:0.1:1/z:2:0.5/dpr:1.5/w:10/mw:20/-/t:10/aW1n.webp",
		"/_/pr:square:sharp/fq:webp:70:jpg:60/f:jpg/a:51:2:0.5/dt:0.5:001e50:fff0c8/plain/img_1", "/_/exp:1700000001/fn:YSBi:1/att:t/ex:1:nowe/exar:1/rs:auto:9:9/plain/x",
	} {
		f.Add(path, 400, 300)
	}
	f.Fuzz(func(t *testing.T, path string, width, height int) {
		a, err := reader.Read(path)
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
