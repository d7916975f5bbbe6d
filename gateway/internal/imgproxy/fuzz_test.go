package imgproxy

import (
	"testing"

	"calotype/gateway/internal/compat/compattest"
)

// FuzzImgproxy looks for a path that ends in anything but an answer, a refusal or a question for the size, and for one that asks for it again.
func FuzzImgproxy(f *testing.F) {
	for _, path := range []string{
		"/_/rs:fill:300:400:0:1:no/g:sm/pd:10/plain/http://example.com/a%40b.jpg@png", "/_/c:0.5:0:fp:0.1:1/z:2:0.5/dpr:1.5/w:10/mw:20/-/t:10/aW1n.webp",
		"/_/pr:square:sharp/fq:webp:70:jpg:60/f:jpg/a:51:2:0.5/dt:0.5:001e50:fff0c8/plain/img_1", "/_/exp:1700000001/fn:YSBi:1/att:t/ex:1:nowe/exar:1/rs:auto:9:9/plain/x",
		"/_/wm:0.5:soea:-0.1:10:0.3/wms:5:6/wmr:45/wmt:SGk/gr:0.5:f80:left:0.1/car:1.5:1/c:9:9/pd:1:2:3:4/jpgo:1:1/f:jpg/plain/img_1",
	} {
		f.Add(path, 400, 300)
	}
	f.Fuzz(func(t *testing.T, path string, width, height int) { compattest.Fuzz(t, reader, path, width, height) })
}
