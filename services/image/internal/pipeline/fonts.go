package pipeline

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "fonts.h"
// #include "shim.h"
import "C"

import (
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// fonts are the families that texts may be written in, ordered: none where the library cannot write text.
var fonts = sync.OnceValue(func() []string {
	name := C.CString("text")
	defer C.free(unsafe.Pointer(name))
	if C.ct_has(name) == 0 {
		return nil
	}
	all := C.ct_fonts()
	if all == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(all))
	list := strings.Split(strings.TrimSpace(C.GoString(all)), "\n")
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
})
