package recipe

import (
	"math"

	"calotype/kit/fault"
)

// Effect is what Adjust does to colours, in the word the URL uses.
type Effect string

// The effects; see proto/image/v1/recipe.proto.
const (
	Brightness Effect = "brightness"
	Contrast   Effect = "contrast"
	Saturation Effect = "saturation"
	Hue        Effect = "hue"
	Gamma      Effect = "gamma"
	Grayscale  Effect = "grayscale"
	Negate     Effect = "negate"
	Sepia      Effect = "sepia"
	Tint       Effect = "tint"
	Duotone    Effect = "duotone"
	Equalize   Effect = "equalize"
	RGB        Effect = "rgb"
	Noise      Effect = "noise"
)

// Adjust changes colours, each pixel by itself, though Equalize goes by all of them, and Noise by its place; transparency stays.
type Adjust struct {
	Effect Effect
	Amount float64
	Color  Color // Tint: what is mixed in; Duotone: what black becomes
	Light  Color // Duotone: what white becomes

	Red, Green, Blue float64 // RGB: what is added to each, in per cent of all that there is
}

func (Adjust) step() {}

// scale says what an effect's amount may be.
type scale struct {
	least, most float64 // both 0: it takes none
	nothing     float64 // the amount that changes nothing, where there is one: NaN where there is none
	usual       float64 // what 0 means, where 0 is no amount
	colors      int
	shares      bool // it takes an amount for each of red, green and blue
	example     string
}

var none = math.NaN()

var scales = map[Effect]scale{
	Brightness: {least: -100, most: 100, example: "brightness:20"},
	Contrast:   {least: -100, most: 100, example: "contrast:20"},
	Saturation: {least: -100, most: 100, example: "saturation:40"},
	Hue:        {least: -180, most: 180, example: "hue:90"},
	Gamma:      {least: 0.1, most: 10, nothing: 1, example: "gamma:1.5"},
	Grayscale:  {nothing: none, example: "grayscale"},
	Negate:     {nothing: none, example: "negate"},
	Sepia:      {least: 1, most: 100, nothing: none, usual: 80, example: "sepia:80"},
	Tint:       {least: 1, most: 100, nothing: none, usual: 50, colors: 1, example: "tint:50:ff8800"},
	Duotone:    {least: 1, most: 100, nothing: none, usual: 100, colors: 2, example: "duotone:001e50:fff0c8"},
	Equalize:   {nothing: none, example: "equalize"},
	RGB:        {nothing: none, shares: true, example: "rgb:20:-10:0"},
	Noise:      {least: 0, most: 100, example: "noise:30"},
}

func checkAdjust(s Adjust) []fault.Field {
	c := checker{of: "adjust"}
	scale, ok := scales[s.Effect]
	if !ok {
		c.fault("effect", "%s", wrongWord("effect", string(s.Effect), adjustments))
		return c.fields
	}
	switch {
	case s.Amount == 0 && scale.usual != 0:
	case scale.least == scale.most && s.Amount != 0:
		c.fault("amount", "%s takes no amount", s.Effect)
	case !(s.Amount >= scale.least && s.Amount <= scale.most): // so that NaN is wrong too
		c.fault("amount", "%g is not within %g..%g", s.Amount, scale.least, scale.most)
	}
	for i, share := range []float64{s.Red, s.Green, s.Blue} {
		field := []string{"red", "green", "blue"}[i]
		switch {
		case !scale.shares && share != 0:
			c.fault(field, "%s takes no amount of %s", s.Effect, field)
		case !(share >= -100 && share <= 100): // so that NaN is wrong too
			c.fault(field, "%g is not within -100..100", share)
		}
	}
	for i, color := range []Color{s.Color, s.Light} {
		field := []string{"color", "light"}[i]
		n, ok := color.normal()
		switch {
		case i >= scale.colors && color != "":
			c.fault(field, "%s takes %d colours", s.Effect, scale.colors)
		case i < scale.colors && (!ok || len(n) != 6):
			c.fault(field, `%.80q is no colour without transparency; write "rrggbb"`, color)
		}
	}
	return c.fields
}

func (s Adjust) normal() Adjust {
	s.Amount = micro(s.Amount)
	s.Red, s.Green, s.Blue = micro(s.Red), micro(s.Green), micro(s.Blue)
	if s.Amount == 0 {
		s.Amount = scales[s.Effect].usual
	}
	if s.Effect == Hue && s.Amount == -180 {
		s.Amount = 180
	}
	s.Color, _ = s.Color.normal()
	s.Light, _ = s.Light.normal()
	return s
}

// idle reports whether a normal step changes nothing, so that the picture is the same without it.
func (s Adjust) idle() bool {
	scale, ok := scales[s.Effect]
	return ok && (s.Amount == scale.nothing || scale.shares && s.Red == 0 && s.Green == 0 && s.Blue == 0)
}

// micro rounds to the digits that the grammar can write, so that what comes by another way has a canonical form too.
func micro(f float64) float64 { return math.Round(f*1e6)/1e6 + 0 } // and -0 is 0

// canonical writes the effect as Parse reads it.
func (s Adjust) canonical() string {
	text := string(s.Effect)
	switch s.Effect {
	case RGB:
		return text + ":" + decimal(s.Red) + ":" + decimal(s.Green) + ":" + decimal(s.Blue)
	case Duotone:
		return text + ":" + string(s.Color) + ":" + string(s.Light) + ":" + decimal(s.Amount)
	}
	if s.Amount != 0 {
		text += ":" + decimal(s.Amount)
	}
	if s.Color != "" {
		text += ":" + string(s.Color)
	}
	return text
}
