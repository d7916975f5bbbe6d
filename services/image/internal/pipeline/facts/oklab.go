package facts

import (
	"fmt"
	"math"
)

// oklab turns sRGB of 0..255 into Björn Ottosson's Oklab (bottosson.github.io/posts/oklab), where distances are about what is seen.
func oklab(r, g, b float64) [3]float64 {
	r, g, b = linear(r/255), linear(g/255), linear(b/255)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

// hex writes a colour of Oklab as rrggbb.
func hex(lab [3]float64) string {
	cube := func(a, b float64) float64 { v := lab[0] + a*lab[1] + b*lab[2]; return v * v * v }
	l, m, s := cube(0.3963377774, 0.2158037573), cube(-0.1055613458, -0.0638541728), cube(-0.0894841775, -1.2914855480)
	return fmt.Sprintf("%02x%02x%02x",
		byteOf(4.0767416621*l-3.3077115913*m+0.2309699292*s),
		byteOf(-1.2684380046*l+2.6097574011*m-0.3413193965*s),
		byteOf(-0.0041960863*l-0.7034186147*m+1.7076147010*s))
}

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func byteOf(v float64) int {
	if v <= 0.0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - 0.055
	}
	return int(math.Round(255 * min(max(v, 0), 1)))
}
