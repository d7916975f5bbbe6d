package recipe

import (
	"math"
	"strconv"
	"strings"

	"calotype/kit/fault"
)

// Hints are what a browser tells of itself by client hints; 0 is nothing.
type Hints struct {
	DPR      float64 // pixels of the device for one of the page
	Width    int     // of the picture as it will be shown, in pixels of the device
	Viewport int     // the width of the window, in pixels of the page
}

// Told says which hints had a say in what was read, or would have had one: caches tell requests apart by them.
type Told struct {
	DPR   bool // the device's pixels
	Width bool // the picture's width or the window's
}

// What hints are rounded up to, so that a cache has few pictures of many devices.
var (
	densities = []float64{1, 1.5, 2, 3}
	ladder    = []int{160, 320, 480, 640, 800, 960, 1280, 1600, 1920, 2560, 3200, 3840, 5120}
)

// fallbackWidth is for w_auto, in pixels of the page, where neither the browser nor the address tells one.
const fallbackWidth = 1280

// Fly is what an address on the fly may refer to besides options.
type Fly struct {
	Hints   Hints
	Presets Catalog
	// AnyPreset passes over t_, of whose presets nothing is known.
	AnyPreset bool
}

// ParseFly reads options as Parse does, for one request: also dpr_auto and w_auto, and t_ for the variants of presets.
func ParseFly(text string, fly Fly) (Variant, Told, error) {
	if len(text) > MaxOptions {
		return Variant{}, Told{}, unreadable([]fault.Field{tooLong()})
	}
	p := parser{fly: &fly}
	v, fields := p.parse(text)
	if len(fields) > 0 {
		return Variant{}, p.told, unreadable(fields)
	}
	return v, p.told, nil
}

// rung rounds up; what is above all steps becomes the highest.
func rung[N int | float64](n N, steps []N) N {
	for _, s := range steps {
		if n <= s {
			return s
		}
	}
	return steps[len(steps)-1]
}

// density is the device's, as it is told or guessed.
func (h Hints) density(guess float64) float64 {
	if h.DPR > 0 {
		return rung(h.DPR, densities)
	}
	return guess
}

// width is that of the picture in pixels of the device.
func (h Hints) width(guess int) int {
	switch {
	case h.Width > 0:
		return rung(h.Width, ladder)
	case h.Viewport > 0:
		guess = h.Viewport
	}
	return rung(int(math.Ceil(float64(guess)*h.density(1))), ladder)
}

// auto takes "auto" or "auto:fallback" apart; ok is false for another value.
func (o option) auto() (fallback option, given, ok bool) {
	word, value, given := strings.Cut(o.value, ":")
	return o.of(value), given, word == "auto"
}

// request refuses what only a request decides, where there is none.
func (p *parser) request(o option) bool {
	if p.fly == nil {
		p.wrong(o, "auto is decided by a browser's client hints, which only addresses under /i/ have; name a number")
	}
	return p.fly != nil
}

// factor reads dpr_, which may be auto.
func (p *parser) factor(o option) float64 {
	fallback, given, ok := o.auto()
	if !ok {
		return p.decimal(o, MinDPR, MaxDPR)
	}
	if !p.request(o) {
		return 1
	}
	guess := 1.0
	if given {
		guess = p.decimal(fallback, MinDPR, MaxDPR)
	}
	p.told.DPR = true
	return p.fly.Hints.density(guess)
}

// autoWidth puts the width that hints tell in the place of w_auto, and reports whether it did: it counts the device's pixels already, which
// dpr_ does not multiply.
func (p *parser) autoWidth(t part) bool {
	o := t.options["w"]
	fallback, given, ok := o.auto()
	if !ok {
		return false
	}
	guess, before := fallbackWidth, len(p.fields)
	if t.regional() || t.options["c"].value == "crop" {
		p.wrong(o, "auto is for resizing")
	}
	if p.request(o) && given {
		if guess = p.integer(fallback); guess < 1 && len(p.fields) == before || guess > MaxSide {
			p.wrong(o, "%d is not within 1..%d", guess, MaxSide)
		}
	}
	if len(p.fields) > before {
		t.options["w"] = o.of("1") // told once
		return true
	}
	p.told = Told{DPR: true, Width: true}
	t.options["w"] = o.of(strconv.Itoa(p.fly.Hints.width(guess)))
	return true
}
