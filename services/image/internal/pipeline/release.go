package pipeline

// #include "release.h"
import "C"

// Release gives memory that pictures took back to the system. It takes milliseconds, in which allocations wait: call it when nothing is
// to be done.
func Release() { C.ct_release() }
