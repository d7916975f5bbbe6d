package pipeline

// #include "release.h"
import "C"

// heavy is from how many bytes on what a call took is given back as soon as it ends: the C library keeps all that lies before something that is still
// in use, and many pictures at once leave much of that.
const heavy = 16 << 20

// Release gives memory that pictures took back to the system. It takes milliseconds, in which allocations wait.
func Release() { C.ct_release() }
