package imgproxy

import (
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"calotype/gateway/internal/compat"
)

// gravity says what is kept of a picture, or where it stands.
type gravity struct {
	kind string // a place of compass, sm or fp
	x, y float64
}

// canvas says whether a picture is to be put on a larger ground.
type canvas struct {
	on bool
	at gravity
}

// pipeline is the options of one run; most addresses have one.
type pipeline struct {
	kind                 string // fit, fill, fill-down, force, auto
	width, height        float64
	minWidth, minHeight  float64
	zoomX, zoomY, dpr    float64 // 0 is 1
	enlarge              bool
	extend, extendAspect canvas
	gravity              gravity
	crop                 *crop
	trim                 int
	padding              []int
	rotate               int
	flipX, flipY         bool
	effects              effects
	background           string
	watermark            watermark
	cropAspect           float64 // of its width to its height
	cropEnlarge          bool
}

type crop struct {
	width, height float64
	at            gravity
}

// parser collects the options of a path.
type parser struct {
	reader    Reader
	within    int // presets that stand in presets
	pipelines []pipeline
	out       output
}

func (p *parser) now() *pipeline { return &p.pipelines[len(p.pipelines)-1] }

// option reads "name:argument:argument", or "-", which begins a run of its own.
func (p *parser) option(text string) error {
	if text == "-" {
		if len(p.pipelines) == 8 {
			return compat.Wrong("there are more than 8 chained pipelines")
		}
		p.pipelines = append(p.pipelines, pipeline{})
		return nil
	}
	name, rest, _ := strings.Cut(text, ":")
	if long, ok := short[name]; ok {
		name = long
	}
	read, ok := options(name)
	if !ok {
		if slices.Contains(missing, name) {
			return compat.Refuse("imgproxy's option %q", name)
		}
		return compat.Wrong("imgproxy has no option %.40q", name)
	}
	a := &args{name: name, values: strings.Split(rest, ":")}
	if err := read(p, a); err != nil {
		return err
	}
	return a.err
}

func (p *parser) preset(name, text string) error {
	if p.within++; p.within > 8 {
		return compat.Wrong("presets stand in each other")
	}
	defer func() { p.within-- }()
	for option := range strings.SplitSeq(text, "/") {
		if err := p.option(option); err != nil {
			return err
		}
	}
	return nil
}

func presets(p *parser, a *args) error {
	for _, name := range a.values {
		text, ok := p.reader.Presets[name]
		if !ok {
			return compat.Wrong("there is no preset %.40q; compat.imgproxy.presets has %s", name, strings.Join(slices.Sorted(maps.Keys(p.reader.Presets)), ", "))
		}
		if err := p.preset(name, text); err != nil {
			return err
		}
	}
	return nil
}

// args are an option's arguments. What is left out, or empty, has a default; what is wrong is noted.
type args struct {
	name   string
	values []string
	err    error
}

func (a *args) at(i int) string {
	if i < len(a.values) {
		return a.values[i]
	}
	return ""
}

func (a *args) wrong(i int, what string) {
	if a.err == nil {
		a.err = compat.Wrong("%s: %.40q is %s", a.name, a.at(i), what)
	}
}

// number reads an argument within bounds; otherwise is what it is when it is missing.
func (a *args) number(i int, otherwise, least, most float64) float64 {
	if a.at(i) == "" {
		return otherwise
	}
	f, err := strconv.ParseFloat(a.at(i), 64)
	if err != nil || math.IsNaN(f) || f < least || f > most {
		a.wrong(i, "no number within "+compat.Decimal(least)+".."+compat.Decimal(most))
		return otherwise
	}
	return f
}

func (a *args) integer(i, otherwise, least, most int) int {
	f := a.number(i, float64(otherwise), float64(least), float64(most))
	if f != math.Trunc(f) {
		a.wrong(i, "no whole number")
		return otherwise
	}
	return int(f)
}

func (a *args) truth(i int, otherwise bool) bool {
	switch a.at(i) {
	case "":
		return otherwise
	case "1", "t", "true":
		return true
	case "0", "f", "false":
		return false
	}
	a.wrong(i, "neither true nor false: 1, t, true, 0, f, false")
	return otherwise
}

func (a *args) color(i int, otherwise string) string {
	c := strings.ToLower(a.at(i))
	if c == "" {
		return otherwise
	}
	if (len(c) != 3 && len(c) != 6) || strings.Trim(c, "0123456789abcdef") != "" {
		a.wrong(i, "no colour as rrggbb is")
	}
	return c
}

func (a *args) text(i int) string {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(a.at(i), "="))
	if err != nil {
		a.wrong(i, "no base64")
	}
	return string(b)
}

// gravity reads "type:x:y" from argument i on.
func (a *args) gravity(i int, smart bool) gravity {
	g := gravity{kind: a.at(i)}
	switch {
	case g.kind == "fp":
		g.x, g.y = a.number(i+1, 0.5, 0, 1), a.number(i+2, 0.5, 0, 1)
	case g.kind == "sm" && smart:
	case g.kind == "obj" || g.kind == "objw":
		a.err = compat.Refuse("imgproxy's gravity %q, which looks for objects,", g.kind)
	case compass[g.kind] != "":
		g.x, g.y = a.number(i+1, 0, -maxSide, maxSide), a.number(i+2, 0, -maxSide, maxSide)
	default:
		a.wrong(i, "no gravity")
	}
	return g
}

const maxSide = 16384 // pixels

// compass has what Calotype calls the places.
var compass = map[string]string{
	"ce": "center", "no": "north", "so": "south", "ea": "east", "we": "west",
	"noea": "north_east", "soea": "south_east", "sowe": "south_west",
	"no" + "we": "north_west", // in one word, a linter takes it for another
}
