//go:build race

package app_test

// The race detector keeps several bytes of its own for each of the program's: what the process holds says nothing then.
const raceDetector = true
