// Package chaos breaks a whole cluster on purpose, real RabbitMQ, Postgres and Consul included, while it is loaded, and compares what
// it acknowledged with what became of it, by a ledger that is kept outside.
package chaos

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
		bin, err = os.MkdirTemp("", "calotype-chaos-*")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin+"/", // without what only debuggers read, linking takes half the time
		"./gateway", "./services/storage", "./services/image", "./services/image/worker", "./test/chaos/fragile")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building what is tested: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
