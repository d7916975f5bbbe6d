package recipe

import (
	"fmt"
	"regexp"
	"strconv"
)

// Transparent and White are the default backgrounds: of formats with transparency, and of those without.
const (
	Transparent Color = "transparent"
	White       Color = "ffffff"
)

// Blurred is what Pad can fill with besides colours: the picture itself, larger and out of focus.
const Blurred Color = "blurred"

var (
	hexColor   = regexp.MustCompile(`^([0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$`)
	colorNames = map[Color]Color{"white": White, "black": "000000"}
)

// normal gives the one spelling of a colour. Upper case, three digits, a needless alpha and the names "white" and "black" are
// understood; ok is false for anything else.
func (c Color) normal() (_ Color, ok bool) {
	if named, ok := colorNames[c]; ok {
		return named, true
	}
	if c == "" || c == Transparent {
		return c, true
	}
	s := lower(string(c))
	if !hexColor.MatchString(s) {
		return c, false
	}
	if len(s) == 3 {
		s = string([]byte{s[0], s[0], s[1], s[1], s[2], s[2]})
	}
	if len(s) == 8 && s[6:] == "ff" {
		s = s[:6]
	}
	if len(s) == 8 && s[6:] == "00" {
		return Transparent, true
	}
	return Color(s), true
}

// RGBA gives the components of a normal colour, 0..255; the default is transparent.
func (c Color) RGBA() (r, g, b, a uint8) {
	if len(c) == 6 {
		c += "ff"
	}
	n, err := strconv.ParseUint(string(c), 16, 32)
	if err != nil || len(c) != 8 {
		return 0, 0, 0, 0
	}
	return uint8(n >> 24), uint8(n >> 16), uint8(n >> 8), uint8(n)
}

// opaque is what a normal colour looks like on white.
func (c Color) opaque() Color {
	r, g, b, a := c.RGBA()
	on := func(v uint8) uint8 { return uint8((int(v)*int(a) + 255*(255-int(a)) + 127) / 255) }
	return Color(fmt.Sprintf("%02x%02x%02x", on(r), on(g), on(b)))
}

// lower is strings.ToLower for ASCII alone: no other letter may turn into a hexadecimal digit.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
