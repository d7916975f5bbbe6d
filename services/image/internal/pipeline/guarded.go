package pipeline

// #include "guarded.h"
import "C"

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"calotype/kit/fault"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// Formats are those of originals that are taken beside what is safe with anybody's.
type Formats []string

// Validate finds formats that need not be allowed, or cannot.
func (f Formats) Validate() []fault.Field {
	var bad []fault.Field
	for i, name := range f {
		if !slices.Contains(probe.Guarded(), name) {
			bad = append(bad, fault.Field{Path: fmt.Sprintf("[%d]", i), Message: fmt.Sprintf("%q is not one of %s", name, strings.Join(probe.Guarded(), ", "))})
		}
	}
	return bad
}

// allow has the library take what is allowed. What another engine of the process was allowed stays so; each asks its own list first.
func (f Formats) allow() {
	for name, class := range map[string]string{probe.SVG: "VipsForeignLoadSvg", probe.PDF: "VipsForeignLoadPdf", probe.JXL: "VipsForeignLoadJxl"} {
		if slices.Contains(f, name) {
			text := C.CString(class)
			C.ct_allow(text)
			C.free(unsafe.Pointer(text))
		}
	}
}

// drawn reports whether pictures of a format are made at any size.
func drawn(format string) bool { return format == probe.SVG || format == probe.PDF }

// largest is how far a drawing is enlarged at most, whatever is asked for.
const largest = 100

// scaleOf is the scale at which a drawing is made for a variant: that of its first Resize, larger than 1 too, as far as limits allow.
func (l Limits) scaleOf(f forecast, from size) float64 {
	fits := math.Sqrt(float64(l.Pixels) / float64(from.pixels()))
	return min(max(f.enough, f.wished), largest, max(1, fits))
}

// drawing opens a drawing, or a bitmap: what libvips reads by other ways than the rest.
func drawing(a *arena, data []byte, h probe.Header, how reading) picture {
	var out *C.VipsImage
	if h.Format == probe.BMP {
		b, err := probe.ReadBitmap(data)
		if err != nil {
			a.err = err
			return picture{a: a}
		}
		return a.own(C.ct_bitmap(unsafe.Pointer(&data[b.Offset]), C.int(b.Width), C.int(b.Height), C.int(b.Stride), C.int(b.Bits/8), flag(b.TopDown), &out),
			out, "open bmp")
	}
	format := C.int(C.CT_SVG)
	if h.Format == probe.PDF {
		format = C.CT_PDF
	}
	return a.own(C.ct_draw(format, unsafe.Pointer(&data[0]), C.size_t(len(data)), C.double(how.scale), C.int(how.page), &out), out, "open "+h.Format)
}

// pages is how many pages a document has.
func (im picture) pages() int {
	if im.p == nil {
		return 1
	}
	return min(max(1, int(C.vips_image_get_n_pages(im.p))), recipe.MaxPage)
}
