package pipeline

// #include "shim.h"
import "C"

import (
	"context"
	_ "embed" // for the samples
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// Capabilities is what the library that is linked can do, found out by doing it: libvips may be there and its encoders not.
type Capabilities struct {
	Version string   // of libvips
	Load    []string // the formats that are read
	Save    []string // the formats that are written
	Palette bool     // PNGs of few colours are written
}

// The samples are 16 x 16 black pixels each, in the formats that can be read in more places than they can be written.
var (
	//go:embed sample.heic
	sampleHEIC []byte
	//go:embed sample.avif
	sampleAVIF []byte
)

// FindCapabilities tries every format on a picture of 16 x 16 pixels.
func FindCapabilities() (Capabilities, error) {
	if err := start(); err != nil {
		return Capabilities{Version: version()}, err
	}
	return capabilities(), nil
}

func version() string {
	return fmt.Sprintf("%d.%d.%d", C.vips_version(0), C.vips_version(1), C.vips_version(2))
}

// capabilities is found out once, when it is first asked for: what the library can do does not change.
var capabilities = sync.OnceValue(func() (found Capabilities) {
	found.Version = version()
	samples := map[string][]byte{probe.HEIC: sampleHEIC, probe.AVIF: sampleAVIF}
	for _, f := range []recipe.Format{recipe.JPEG, recipe.PNG, recipe.WebP, recipe.GIF, recipe.AVIF, recipe.JXL, recipe.TIFF} {
		if data := black(f, recipe.Output{}); data != nil {
			found.Save = append(found.Save, string(f))
			samples[string(f)] = data
		}
	}
	found.Save = append(found.Save, string(recipe.JSON))
	for _, f := range []string{probe.JPEG, probe.PNG, probe.WebP, probe.GIF, probe.AVIF, probe.HEIC} {
		if data := samples[f]; data != nil && readable(data, 0) {
			found.Load = append(found.Load, f)
		}
	}
	if data := black(recipe.PNG, recipe.Output{Palette: true}); len(data) > pngKind {
		found.Palette = data[pngKind] == pngPalette // built without a quantizer, libvips writes all colours and says nothing
	}
	found.Load = append(found.Load, probe.BMP)
	for _, f := range []string{probe.TIFF, probe.JXL, probe.SVG, probe.PDF} {
		name := C.CString(f + "load_buffer")
		if C.ct_has(name) != 0 {
			found.Load = append(found.Load, f)
		}
		C.free(unsafe.Pointer(name))
	}
	return found
})

// Where a PNG says what its pixels are, and what it says of indices into a palette.
const pngKind, pngPalette = 25, 3

// black encodes a small black picture, or gives nil where a format cannot be written.
func black(f recipe.Format, o recipe.Output) []byte {
	r, release := hold(context.Background())
	defer release()
	a := r.arena()
	defer a.free()
	var out *C.VipsImage
	return a.own(C.ct_black(16, 16, &out), out, "make a picture").encode(o, f, 16*16)
}

// readable decodes all of a still, or of one page.
func readable(data []byte, page int, allowed ...string) bool {
	h, err := probe.Read(data, allowed...)
	if err != nil {
		return false
	}
	r, release := hold(context.Background())
	defer release()
	a := r.arena()
	var pin runtime.Pinner
	defer pin.Unpin()
	defer a.free()
	return open(a, &pin, data, h, reading{page: page, frames: 1}).read()
}
