//go:build race

package pipeline

// slower is what times are stretched by under the race detector.
const slower = 4
