// Package race tells tests whether the race detector watches them. It keeps several bytes of its own for each of the program's and makes
// it up to ten times slower: what measures memory runs again without.
package race

import (
	"os/exec"
	"testing"
)

// Without runs a test of the package in the working directory again, in a process without the detector, and reports whether it did: then
// there is nothing left to do. Where there is no detector it does nothing.
func Without(t *testing.T) bool {
	t.Helper()
	if !Detector {
		return false
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-race=false", "-vet=off", "-count=1", "-v", "-run=^"+t.Name()+"$", ".").CombinedOutput()
	if t.Logf("without the race detector:\n%s", out); err != nil {
		t.Fatal(err)
	}
	return true
}
