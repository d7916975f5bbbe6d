package pipeline

// #include "shim.h"
import "C"

// shutdown ends libvips, for the test that looks for leaks: nothing works in the process afterwards.
func shutdown() { C.vips_shutdown() }
