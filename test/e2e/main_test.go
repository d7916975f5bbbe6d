// Package e2e runs the binaries that users run, as processes of their own, beside a real Consul and a real Jaeger, and looks at
// them from outside: over HTTP and gRPC, by their files, and with kill -9.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is the folder of the binaries under test; root is the checkout.
var bin, root string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if root, err = filepath.Abs("../.."); err == nil {
		bin, err = os.MkdirTemp("", "calotype-e2e-*")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin+"/", // without what only debuggers read, linking takes half the time
		"./cmd/calotype", "./gateway", "./services/greeter", "./services/storage", "./services/image", "./services/image/worker")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building what is tested: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func picture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "test", "pictures", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
