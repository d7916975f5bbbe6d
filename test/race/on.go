//go:build race

package race

// Detector is whether it is there.
const Detector = true
