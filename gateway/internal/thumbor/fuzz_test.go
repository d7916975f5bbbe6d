package thumbor

import (
	"testing"

	"calotype/gateway/internal/compat/compattest"
)

// FuzzThumbor looks for a path that ends in anything but an answer, a refusal or a question for the size, and for one that asks for it again.
func FuzzThumbor(f *testing.F) {
	for _, path := range []string{
		"/unsafe/trim:top-left:50/10x20:110x220/adaptive-full-fit-in/-300xorig/10x10:10x10/left/top/smart/filters:quality(80):fill(red)/https%3A%2F%2Fa%2Fb.jpg",
		"/unsafe/0.1x0.2:0.5x1.0/stretch/300x-200/filters:focal(146x206:279x360):proportion(0.5):no_upscale():round_corner(20|20,0,0,0,1)/b64:aHR0cA",
		"/unsafe/fit-in/300x300/filters:fill(blur):blur(7,2):hue(290):equalize():convolution(-1;2.5;-1,3,false):noise(40):rgb(20,-20.5,40):rotate(90):format(webp):max_bytes(40000)/a/b.jpg",
		"/unsafe/5x5:6x7/filters:watermark(img_w,-10p,center,50,20,none):text(b64:SGk,r-5,0.5,sans-bold-24,red,20,normal,90,center):label(Hi+you,1,2,30):crop(0.1,0,0.5,1):expire(99999999999999):attachment(a)/img_1",
		"/unsafe/0.1x012:0.5x..0/s",
		"-10p,cx5:6x7/filters:watermark(img_\xb4nsafe.5,1)/5",
		"/unsafe/fit-in/300x300/filters:blur()/a/b.jpg",
	} {
		f.Add(path, 400, 300)
	}
	f.Fuzz(func(t *testing.T, path string, width, height int) { compattest.Fuzz(t, reader, path, width, height) })
}
