package pipeline

import (
	"encoding/binary"
	"math"

	"calotype/services/image/internal/recipe"
)

// nearSRGB reports whether a colour profile describes sRGB (or, for grey, a curve like sRGB's) so nearly that converting would change
// nothing one sees: converting always costs 1.6 times the CPU. Profiles that work by tables are never near.
func nearSRGB(profile []byte) bool { return near(profile, recipe.SRGB) }

// primaries as profiles state them, adapted to D50; from IEC 61966-2-1 and SMPTE EG 432-1 by the Bradford transform.
var primaries = map[recipe.Space]map[string][3]float64{
	recipe.SRGB: {"rXYZ": {0.4360, 0.2225, 0.0139}, "gXYZ": {0.3851, 0.7169, 0.0971}, "bXYZ": {0.1431, 0.0606, 0.7141}},
	recipe.P3:   {"rXYZ": {0.5151, 0.2412, -0.0011}, "gXYZ": {0.2919, 0.6922, 0.0419}, "bXYZ": {0.1571, 0.0666, 0.7841}},
}

// near does for any space what nearSRGB does: the curve is the same in both.
func near(profile []byte, to recipe.Space) bool {
	if len(profile) < 132 || string(profile[36:40]) != "acsp" {
		return false
	}
	if tag(profile, "A2B0") != nil {
		return false
	}
	if string(profile[16:20]) == "GRAY" {
		return nearCurve(tag(profile, "kTRC"))
	}
	for name, want := range primaries[to] {
		t := tag(profile, name)
		if len(t) < 20 {
			return false
		}
		for i, v := range want {
			if math.Abs(fixed(t[8+4*i:])-v) > 0.003 {
				return false
			}
		}
	}
	return nearCurve(tag(profile, "rTRC")) && nearCurve(tag(profile, "gTRC")) && nearCurve(tag(profile, "bTRC"))
}

// tag finds the bytes of a tag, or nil.
func tag(profile []byte, name string) []byte {
	count := int(min(binary.BigEndian.Uint32(profile[128:]), 256))
	for i := range count {
		at := 132 + 12*i
		if at+12 > len(profile) {
			return nil
		}
		if string(profile[at:at+4]) != name {
			continue
		}
		offset, size := uint64(binary.BigEndian.Uint32(profile[at+4:])), uint64(binary.BigEndian.Uint32(profile[at+8:]))
		if offset+size > uint64(len(profile)) {
			return nil
		}
		return profile[offset : offset+size]
	}
	return nil
}

// nearCurve compares a tone curve with sRGB's in three places; a plain gamma of 2.2 is near enough.
func nearCurve(t []byte) bool {
	for _, x := range []float64{0.25, 0.5, 0.75} {
		want := math.Pow((x+0.055)/1.055, 2.4)
		got, ok := curve(t, x)
		if !ok || math.Abs(got-want) > 0.008 {
			return false
		}
	}
	return true
}

// curve evaluates a curveType or parametricCurveType (ICC.1:2010, 10.5 and 10.15).
func curve(t []byte, x float64) (float64, bool) {
	if len(t) < 12 {
		return 0, false
	}
	switch string(t[:4]) {
	case "curv":
		n := int(binary.BigEndian.Uint32(t[8:]))
		switch {
		case n == 0:
			return x, true
		case n < 0 || len(t) < 12+2*n:
			return 0, false
		case n == 1:
			return math.Pow(x, float64(binary.BigEndian.Uint16(t[12:]))/256), true
		}
		return float64(binary.BigEndian.Uint16(t[12+2*int(x*float64(n-1)+0.5):])) / 65535, true
	case "para":
		kind := int(binary.BigEndian.Uint16(t[8:]))
		if kind > 4 || len(t) < 12+4*[]int{1, 3, 4, 5, 7}[kind] {
			return 0, false
		}
		p := func(i int) float64 { return fixed(t[12+4*i:]) }
		switch kind {
		case 0:
			return math.Pow(x, p(0)), true
		case 3, 4:
			if x >= p(4) {
				return math.Pow(p(1)*x+p(2), p(0)), true
			}
			return p(3) * x, true
		}
	}
	return 0, false
}

// fixed reads an s15Fixed16Number.
func fixed(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / 65536 }
