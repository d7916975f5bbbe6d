package pipeline

// #include "shim.h"
import "C"

import (
	"context"
	_ "embed" // for the sample
	"fmt"
	"runtime"
	"unsafe"

	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// Capabilities is what the library that is linked can do, found out by doing it: libvips may be there and its encoders not.
type Capabilities struct {
	Version string   // of libvips
	Load    []string // the formats that are read
	Save    []string // the formats that are written
}

// sample is a HEIC of 16 x 16 black pixels: it can be read in more places than it can be written.
//
//go:embed sample.heic
var sample []byte

// FindCapabilities tries every format on a picture of 16 x 16 pixels.
func FindCapabilities() (Capabilities, error) {
	found := Capabilities{Version: fmt.Sprintf("%d.%d.%d", C.vips_version(0), C.vips_version(1), C.vips_version(2))}
	e, err := New(Config{Limits: DefaultLimits()})
	if err != nil {
		return found, err
	}
	for _, f := range []recipe.Format{recipe.JPEG, recipe.PNG, recipe.WebP, recipe.GIF, recipe.AVIF} {
		data := black(f)
		if data == nil {
			continue
		}
		found.Save = append(found.Save, string(f))
		if e.readable(data) {
			found.Load = append(found.Load, string(f))
		}
	}
	if e.readable(sample) {
		found.Load = append(found.Load, probe.HEIC)
	}
	name := C.CString("tiffload_buffer")
	defer C.free(unsafe.Pointer(name))
	if C.ct_has(name) != 0 {
		found.Load = append(found.Load, probe.TIFF)
	}
	return found, nil
}

// black encodes a small black picture, or gives nil where a format cannot be written.
func black(f recipe.Format) []byte {
	r, release := hold(context.Background())
	defer release()
	a := r.arena()
	defer a.free()
	var out *C.VipsImage
	return a.own(C.ct_black(16, 16, &out), out, "make a picture").encode(recipe.Output{}, f, 16*16)
}

func (e *Engine) readable(data []byte) bool {
	h, err := probe.Read(data)
	if err != nil {
		return false
	}
	r, release := hold(context.Background())
	defer release()
	a := r.arena()
	var pin runtime.Pinner
	defer pin.Unpin()
	defer a.free()
	return e.open(a, &pin, data, h, reading{frames: 1}).read()
}
