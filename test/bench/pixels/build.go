package pixels

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Build makes programs of this checkout in a folder: on the libvips that pkg-config finds, or on one of a path that has the same
// interface, as the one that sharp brings. Of that one Calotype can write no texts: it holds a Pango that it does not show, and the
// machine's comes with a second GLib, which one process does not bear.
func Build(tb testing.TB, dir, library string, packages ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-ldflags=-s -w", "-o", dir + "/"}, packages...)...)
	cmd.Dir = checkout(tb)
	if library != "" {
		found := tb.TempDir()
		libs := library + " -Wl,-rpath," + filepath.Dir(library) + " -Wl,--unresolved-symbols=ignore-all -Wl,-z,lazy" // of Pango only the names are there
		describe(tb, found, "vips", libs)
		describe(tb, found, "pangocairo", "")
		cmd.Env = append(os.Environ(), "PKG_CONFIG_PATH="+found, "CGO_LDFLAGS_ALLOW=.*",
			"CGO_CFLAGS=-O2 -g -DLIBVIPS="+filepath.Base(library)) // Go's cache does not see what pkg-config says
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %v: %v\n%s", packages, err, out)
	}
}

// describe writes what pkg-config says of a package: the machine's headers, and other libraries.
func describe(tb testing.TB, dir, name, libs string) {
	tb.Helper()
	flags, err := exec.CommandContext(tb.Context(), "pkg-config", "--cflags", name).Output()
	if err != nil {
		tb.Fatalf("pkg-config %s: %v", name, err)
	}
	text := fmt.Sprintf("Name: %s\nDescription: for benchmarks\nVersion: 8.14\nCflags: %s\nLibs: %s\n", name, strings.TrimSpace(string(flags)), libs)
	if err := os.WriteFile(filepath.Join(dir, name+".pc"), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}
