package onthefly

import (
	"net/http"
	"strconv"
	"strings"

	imagev1 "calotype/proto/image/v1"
)

// The client hints, each by its name and by the one it had before it was a standard.
var (
	densityHints = []string{"Sec-CH-DPR", "DPR"}
	widthHints   = []string{"Sec-CH-Width", "Width"}
	windowHints  = []string{"Sec-CH-Viewport-Width", "Viewport-Width"}
)

// What is more than any screen has is taken for no hint.
const (
	mostDensity = 16
	mostWidth   = 1 << 16
)

// hints reads what a browser tells of itself; what cannot be read is not told.
func hints(h http.Header) *imagev1.ClientHints {
	found := &imagev1.ClientHints{
		Dpr: hint(h, densityHints, mostDensity), Width: int32(hint(h, widthHints, mostWidth)), ViewportWidth: int32(hint(h, windowHints, mostWidth)),
	}
	if found.Dpr == 0 && found.Width == 0 && found.ViewportWidth == 0 {
		return nil
	}
	return found
}

func hint(h http.Header, names []string, most float64) float64 {
	for _, name := range names {
		if f, err := strconv.ParseFloat(h.Get(name), 64); err == nil && f > 0 && f <= most {
			return f
		}
	}
	return 0
}

// vary says by what of a request its answer was chosen, and asks for the hints that were looked for.
func vary(h http.Header, plan *imagev1.PlanResponse) {
	var by, ask []string
	if plan.GetVaryAccept() {
		by = append(by, "Accept")
	}
	if plan.GetVaryHints() {
		by, ask = append(by, densityHints...), append(ask, densityHints[0])
	}
	if plan.GetVaryWidth() {
		by, ask = append(append(by, widthHints...), windowHints...), append(ask, widthHints[0], windowHints[0])
	}
	if len(by) > 0 {
		h.Add("Vary", strings.Join(by, ", "))
	}
	if len(ask) > 0 {
		h.Set("Accept-CH", strings.Join(ask, ", "))
	}
}
