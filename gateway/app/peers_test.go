package app_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"
)

// peer is what another server's documentation says of an address: how large the result of an original is, and which part of it is where.
type peer struct {
	from image.Point // the original's size
	path string      // between "unsafe" and the source
	want image.Point
	// part is what of the original is seen; the zero value is all of it.
	part image.Rectangle
	// box is where of the result it is seen, on a blue ground; the zero value is all of it.
	box image.Rectangle
	// flipped says which sides have changed places; turned is clockwise by 90 degrees.
	flippedX, flippedY, turned bool
}

func wh(w, h int) image.Point              { return image.Pt(w, h) }
func at(x, y, w, h int) image.Rectangle    { return image.Rect(x, y, x+w, y+h) }
func (p peer) flip(x, y bool) peer         { p.flippedX, p.flippedY = x, y; return p }
func (p peer) on(box image.Rectangle) peer { p.box = box; return p }
func (p peer) turn() peer                  { p.turned = true; return p }

func says(from image.Point, path string, want image.Point, part ...image.Rectangle) peer {
	p := peer{from: from, path: path, want: want}
	if len(part) > 0 {
		p.part = part[0]
	}
	return p
}

// What imgproxy's documentation says, by its headings. Where it has no figures, they follow from its words.
var imgproxySays = map[string][]peer{
	"https://docs.imgproxy.net/usage/processing#resizing-type": {
		says(wh(800, 600), "rs:fit:300:200", wh(267, 200)),
		says(wh(400, 600), "rs:fit:300:200", wh(133, 200)),
		says(wh(800, 600), "rs:fill:300:200", wh(300, 200), at(0, 33, 800, 533)),
		says(wh(400, 600), "rs:fill:300:200", wh(300, 200), at(0, 167, 400, 267)),
		says(wh(400, 300), "rs:fill:800:200", wh(400, 200), at(0, 50, 400, 200)), // never larger without enlarge
		says(wh(400, 300), "rs:fill:800:600", wh(400, 300)),
		says(wh(400, 300), "rs:fill-down:800:400", wh(400, 200), at(0, 50, 400, 200)),
		says(wh(400, 300), "rs:fill-down:300:600", wh(150, 300), at(125, 0, 150, 300)),
		says(wh(800, 600), "rs:force:300:500", wh(300, 500)),
		says(wh(800, 600), "rs:auto:300:200", wh(300, 200), at(0, 33, 800, 533)), // both lie: as fill
		says(wh(800, 600), "rs:auto:200:300", wh(200, 150)),                      // one stands: as fit
	},
	"https://docs.imgproxy.net/usage/processing#width": {
		says(wh(800, 600), "w:400", wh(400, 300)),
		says(wh(800, 600), "rs:force/w:400", wh(400, 600)),
	},
	"https://docs.imgproxy.net/usage/processing#height": {
		says(wh(800, 600), "h:300", wh(400, 300)),
		says(wh(800, 600), "rs:force/h:300", wh(800, 300)),
	},
	"https://docs.imgproxy.net/usage/processing#min-width": {
		says(wh(800, 600), "h:150/mw:400", wh(400, 150), at(0, 150, 800, 300)), // cut to the height
		says(wh(800, 600), "w:200/mh:300", wh(200, 300), at(200, 0, 400, 600)),
	},
	"https://docs.imgproxy.net/usage/processing#zoom": {
		says(wh(800, 600), "z:0.5", wh(400, 300)),
		says(wh(800, 600), "z:0.5:0.25", wh(400, 150)),
		says(wh(800, 600), "w:400/z:0.5", wh(200, 150)),
	},
	"https://docs.imgproxy.net/usage/processing#dpr": {
		says(wh(800, 600), "rs:fit:200:200/dpr:2", wh(400, 300)),
		says(wh(800, 600), "rs:fill:100:100:1/dpr:3", wh(300, 300), at(100, 0, 600, 600)),
		says(wh(800, 600), "rs:fill:200:100/g:no:0:10/dpr:2", wh(400, 200), at(0, 40, 800, 400)), // the offset, too
	},
	"https://docs.imgproxy.net/usage/processing#enlarge": {
		says(wh(400, 300), "rs:fit:800:800", wh(400, 300)),
		says(wh(400, 300), "rs:fit:800:800:1", wh(800, 600)),
		says(wh(400, 300), "rs:fill:800:400:1", wh(800, 400), at(0, 50, 400, 200)),
	},
	"https://docs.imgproxy.net/usage/processing#extend": {
		says(wh(200, 150), "rs:fit:300:300/ex:1/bg:0000ff", wh(300, 300)).on(at(50, 75, 200, 150)),
		says(wh(200, 150), "rs:fit:300:300/ex:1:soea:20:10/bg:0000ff", wh(300, 300)).on(at(80, 140, 200, 150)),
		says(wh(400, 300), "rs:fit:400:500:0:1/bg:0000ff", wh(400, 500)).on(at(0, 100, 400, 300)),
		says(wh(800, 600), "rs:fit:400:400/ex:1:so/bg:0000ff", wh(400, 400)).on(at(0, 100, 400, 300)),
	},
	"https://docs.imgproxy.net/usage/processing#extend-aspect-ratio": {
		says(wh(400, 300), "rs:fit:800:800/exar:1/bg:0000ff", wh(400, 400)).on(at(0, 50, 400, 300)),
		says(wh(400, 300), "rs:fit:200:100/exar:1:we/bg:0000ff", wh(200, 100)).on(at(0, 0, 133, 100)),
	},
	"https://docs.imgproxy.net/usage/processing#gravity": {
		says(wh(800, 600), "rs:fill:400:150/g:no", wh(400, 150), at(0, 0, 800, 300)),
		says(wh(800, 600), "rs:fill:400:150/g:so", wh(400, 150), at(0, 300, 800, 300)),
		says(wh(800, 600), "rs:fill:150:300/g:we", wh(150, 300), at(0, 0, 300, 600)),
		says(wh(800, 600), "rs:fill:150:300/g:ea", wh(150, 300), at(500, 0, 300, 600)),
		says(wh(800, 600), "rs:fill:400:150/g:soea", wh(400, 150), at(0, 300, 800, 300)),
		says(wh(800, 600), "rs:fill:150:300/g:we:20", wh(150, 300), at(40, 0, 300, 600)),
		says(wh(800, 600), "rs:fill:150:300/g:ea:0.25", wh(150, 300), at(300, 0, 300, 600)),
		says(wh(800, 600), "rs:fill:400:150/g:fp:0.5:1", wh(400, 150), at(0, 300, 800, 300)),
		says(wh(800, 600), "rs:fill:150:300/g:fp:0.25:0.5", wh(150, 300), at(50, 0, 300, 600)),
	},
	"https://docs.imgproxy.net/usage/processing#crop": {
		says(wh(800, 600), "c:200:100", wh(200, 100), at(300, 250, 200, 100)),
		says(wh(800, 600), "c:0.5:0.25:noea", wh(400, 150), at(400, 0, 400, 150)),
		says(wh(800, 600), "c:0:300:so", wh(800, 300), at(0, 300, 800, 300)),
		says(wh(800, 600), "c:400:400:nowe:100:50/w:200", wh(200, 200), at(100, 50, 400, 400)),
	},
	// There "crop:100:200:nowe:300:400" is the area of 100 x 200 from 300, 400 on.
	"https://docs.imgproxy.net/usage/processing#crop-aspect-ratio": {
		says(wh(800, 600), "c:100:200:nowe:300:400/car:1:1", wh(200, 200), at(300, 400, 200, 200)),
		says(wh(800, 600), "c:200:100:nowe/car:1", wh(100, 100), at(0, 0, 100, 100)),
		says(wh(800, 600), "crop:100:200:nowe:300:400", wh(100, 200), at(300, 400, 100, 200)),
	},
	"https://docs.imgproxy.net/usage/processing#padding": {
		says(wh(400, 300), "w:200/pd:10:20:30:40/bg:0000ff", wh(260, 190)).on(at(40, 10, 200, 150)),
		says(wh(800, 1600), "rs:fill:100:200/pd:10/bg:0000ff", wh(120, 220)).on(at(10, 10, 100, 200)),
		says(wh(800, 1600), "rs:fill:100:200/pd:10/dpr:2/bg:0000ff", wh(240, 440)).on(at(20, 20, 200, 400)),
	},
	"https://docs.imgproxy.net/usage/processing#rotate": {
		says(wh(800, 600), "rot:90/w:300", wh(300, 400)).turn(),
		says(wh(800, 600), "rot:180/w:400", wh(400, 300)).flip(true, true),
	},
	"https://docs.imgproxy.net/chained_pipelines": {
		says(wh(800, 600), "rs:fit:400:400/-/c:100:100:nowe", wh(100, 100), at(0, 0, 200, 200)),
	},
}

// What thumbor's and imagor's documentation says.
var thumborSays = map[string][]peer{
	"https://thumbor.readthedocs.io/en/latest/usage.html#fit-in": {
		says(wh(800, 600), "fit-in/300x200", wh(267, 200)),
		says(wh(400, 600), "fit-in/300x200", wh(133, 200)),
		says(wh(800, 600), "full-fit-in/300x200", wh(300, 225)),
		says(wh(400, 600), "full-fit-in/300x200", wh(300, 450)),
		says(wh(400, 600), "adaptive-fit-in/300x200", wh(200, 300)),
		says(wh(800, 600), "adaptive-fit-in/200x300", wh(267, 200)),
		says(wh(400, 600), "adaptive-full-fit-in/300x200", wh(200, 300)),
	},
	"https://thumbor.readthedocs.io/en/latest/usage.html#image-size": {
		says(wh(800, 600), "400x0", wh(400, 300)),
		says(wh(800, 600), "400x", wh(400, 300)),
		says(wh(800, 600), "x300", wh(400, 300)),
		says(wh(800, 600), "0x0", wh(800, 600)),
		says(wh(800, 600), "300xorig", wh(300, 600), at(250, 0, 300, 600)),
		says(wh(800, 600), "origx300", wh(800, 300), at(0, 150, 800, 300)),
		says(wh(800, 600), "origxorig", wh(800, 600)),
	},
	"https://thumbor.readthedocs.io/en/latest/crop_and_resize_algorithms.html": {
		says(wh(800, 600), "400x150", wh(400, 150), at(0, 150, 800, 300)),
		says(wh(800, 600), "-400x150", wh(400, 150), at(0, 150, 800, 300)).flip(true, false),
		says(wh(800, 600), "400x-150", wh(400, 150), at(0, 150, 800, 300)).flip(false, true),
	},
	"https://thumbor.readthedocs.io/en/latest/usage.html#horizontal-align": {
		says(wh(800, 600), "250x300/left", wh(250, 300), at(0, 0, 500, 600)), // 300 px go from the right
		says(wh(800, 600), "250x300/center", wh(250, 300), at(150, 0, 500, 600)),
		says(wh(800, 600), "250x300/right", wh(250, 300), at(300, 0, 500, 600)),
		says(wh(800, 600), "400x150/right", wh(400, 150), at(0, 150, 800, 300)), // of no use there
	},
	"https://thumbor.readthedocs.io/en/latest/usage.html#vertical-align": {
		says(wh(800, 600), "400x150/top", wh(400, 150), at(0, 0, 800, 300)),
		says(wh(800, 600), "400x150/middle", wh(400, 150), at(0, 150, 800, 300)),
		says(wh(800, 600), "400x150/bottom", wh(400, 150), at(0, 300, 800, 300)),
	},
	"https://thumbor.readthedocs.io/en/latest/usage.html#manual-crop": {
		says(wh(800, 600), "100x50:500x350", wh(400, 300), at(100, 50, 400, 300)),
		says(wh(800, 600), "100x50:500x350/200x200", wh(200, 200), at(150, 50, 300, 300)),
	},
	"https://thumbor.readthedocs.io/en/latest/upscale.html": {
		says(wh(300, 200), "fit-in/600x500", wh(300, 200)),
		says(wh(300, 200), "fit-in/600x500/filters:upscale()", wh(600, 400)),
	},
	"https://thumbor.readthedocs.io/en/latest/no_upscale.html": {
		says(wh(300, 200), "600x400/filters:no_upscale()", wh(300, 200)),
		says(wh(300, 200), "600x400", wh(600, 400)),
		says(wh(300, 200), "600x100/filters:no_upscale()", wh(300, 100), at(0, 50, 300, 100)),
	},
	"https://thumbor.readthedocs.io/en/latest/proportion.html": {
		says(wh(800, 600), "300x300/filters:proportion(0.5)", wh(150, 150), at(100, 0, 600, 600)),
	},
	"https://thumbor.readthedocs.io/en/latest/filling.html": {
		says(wh(800, 600), "fit-in/300x300/filters:fill(blue)", wh(300, 300)).on(at(0, 38, 300, 225)),
	},
	"https://thumbor.readthedocs.io/en/latest/stretch.html": {
		says(wh(800, 600), "300x500/filters:stretch()", wh(300, 500)),
	},
	"https://thumbor.readthedocs.io/en/latest/focal.html": {
		says(wh(800, 1000), "400x100/filters:focal(146x206:279x360)", wh(400, 100), at(0, 183, 800, 200)),
	},
	"https://github.com/cshum/imagor#image-endpoint": {
		says(wh(400, 400), "fit-in/200x200/filters:fill(white)", wh(200, 200)),
		says(wh(400, 400), "fit-in/-180x180/10x10/filters:fill(blue)", wh(200, 200)).on(at(10, 10, 180, 180)).flip(true, false),
		says(wh(400, 300), "30x40:100x150", wh(70, 110), at(30, 40, 70, 110)),
		says(wh(800, 600), "0.25x0.5:0.75x1.0", wh(400, 300), at(200, 300, 400, 300)),
		says(wh(800, 800), "fit-in/200x150/filters:fill(blue)", wh(200, 150)).on(at(25, 0, 150, 150)),
		says(wh(800, 600), "stretch/200x300", wh(200, 300)),
		says(wh(100, 80), "fit-in/200x150/filters:fill(blue)", wh(200, 150)).on(at(50, 35, 100, 80)),
		says(wh(800, 600), "400x300/5x10:15x20/filters:fill(blue)", wh(420, 330)).on(at(5, 10, 400, 300)),
		says(wh(800, 600), "400x300/filters:crop(10,20,200,150)", wh(200, 150), at(20, 40, 400, 300)),
	},
}

// charted is an original whose pixels tell where they are: red from left to right, green from top to bottom, and no blue.
func charted(size image.Point) []byte {
	m := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			m.SetRGBA(x, y, color.RGBA{uint8(255 * (2*x + 1) / (2 * size.X)), uint8(255 * (2*y + 1) / (2 * size.Y)), 0, 255})
		}
	}
	var b bytes.Buffer
	_ = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m)
	return b.Bytes()
}

// The geometry of what other servers document is ours, by their own addresses and on real pictures.
func TestPeersGeometry(t *testing.T) {
	s := newWhole(t, withOld())
	ids, count := map[image.Point]string{}, 0
	run := func(documented map[string][]peer, address string) {
		for page, cases := range documented {
			for _, c := range cases {
				if ids[c.from] == "" {
					ids[c.from] = s.uploads(charted(c.from))
				}
				path := fmt.Sprintf(address, c.path, ids[c.from])
				m := s.decoded(path)
				if m.Bounds().Size() != c.want {
					t.Errorf("%s of %v by %s is %v, want %v", c.path, c.from, page, m.Bounds().Size(), c.want)
					continue
				}
				if wrong := c.misplaced(m); wrong != "" {
					t.Errorf("%s of %v by %s: %s", c.path, c.from, page, wrong)
				}
				count++
			}
		}
	}
	run(imgproxySays, "/imgproxy/unsafe/%s/f:png/plain/%s")
	run(thumborSays, "/thumbor/unsafe/%s/%s.png")
	if count < 40 && !t.Failed() {
		t.Errorf("only %d cases were tried", count)
	}
}

// misplaced says where a result shows another place of the original than it should, or none.
func (p peer) misplaced(m image.Image) string {
	box, part := p.box, p.part
	if box.Empty() {
		box = m.Bounds()
	}
	if part.Empty() {
		part = image.Rectangle{Max: p.from}
	}
	for _, corner := range []image.Point{{}, {X: m.Bounds().Dx() - 1}, {Y: m.Bounds().Dy() - 1}} {
		if c := color.NRGBAModel.Convert(m.At(corner.X, corner.Y)).(color.NRGBA); !corner.In(box) && c != (color.NRGBA{0, 0, 255, 255}) {
			return fmt.Sprintf("at %v there is %v, not the ground", corner, c)
		}
	}
	for _, in := range [][2]float64{{0.1, 0.1}, {0.9, 0.1}, {0.1, 0.9}, {0.5, 0.5}} {
		x, y := int(float64(box.Dx())*in[0]), int(float64(box.Dy())*in[1])
		// How far that pixel's middle is from the left and from the top of what is seen.
		across, down := (float64(x)+0.5)/float64(box.Dx()), (float64(y)+0.5)/float64(box.Dy())
		if p.turned {
			across, down = down, 1-across
		}
		if p.flippedX {
			across = 1 - across
		}
		if p.flippedY {
			down = 1 - down
		}
		c := color.NRGBAModel.Convert(m.At(box.Min.X+x, box.Min.Y+y)).(color.NRGBA)
		gotX, gotY := float64(c.R)/255*float64(p.from.X), float64(c.G)/255*float64(p.from.Y)
		wantX, wantY := float64(part.Min.X)+across*float64(part.Dx()), float64(part.Min.Y)+down*float64(part.Dy())
		if math.Abs(gotX-wantX) > tolerated(p.from.X, part.Dx(), box.Dx()) || math.Abs(gotY-wantY) > tolerated(p.from.Y, part.Dy(), box.Dy()) {
			return fmt.Sprintf("at %d,%d it shows %.0f,%.0f of the original, want %.0f,%.0f", box.Min.X+x, box.Min.Y+y, gotX, gotY, wantX, wantY)
		}
	}
	return ""
}

// tolerated is how many pixels of the original a place may be off: a shade and a half, and a pixel of the result.
func tolerated(from, part, box int) float64 {
	return 1.5*float64(from)/255 + max(1, float64(part)/float64(box))
}
