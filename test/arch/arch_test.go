// Package arch keeps the rules of the tree: who may import whom, and which package owns which technology. They speak of what
// goes into binaries; tests may import what they like.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

func TestTreeKeepsTheRules(t *testing.T) {
	packages := list(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages: the test looks at the wrong tree", len(packages))
	}
	for _, f := range faults(packages) {
		t.Error(f)
	}
}

// TestRulesFindBreaches shows each rule an import that breaks it and one like it that does not.
func TestRulesFindBreaches(t *testing.T) {
	const image, storage = "calotype/services/image/", "calotype/services/storage/"
	for _, c := range []struct{ rule, from, bad, good string }{
		{"contract", "calotype/proto/image/v1", "calotype/kit/fault", "calotype/proto/storage/v1"},
		{"kit", "calotype/kit/rpc", "calotype/proto/image/v1", "calotype/kit/fault"},
		{"kit", "calotype/kit/boot", "calotype/proto/greeter/v1", "calotype/proto/node/v1"},
		{"services", image + "app", "calotype/services/greeter/app", image + "internal/manager"},
		{"services", image + "worker/app", "calotype/services/imagine/app", image + "internal/worker"},
		{"gateway", "calotype/gateway/app", storage + "app", "calotype/proto/storage/v1"},
		{"cmd", "calotype/cmd/calotype/internal/command", "calotype/gateway/internal/rest", image + "worker/app"},
		{"main", "main:" + storage + "x", storage + "internal/blob", storage + "app"},
		{"domain", image + "internal/job", "database/sql", image + "internal/recipe"},
		{"domain", storage + "internal/blob", "calotype/proto/storage/v1", "calotype/kit/fault"},
		{"use cases", image + "internal/manager", "google.golang.org/grpc", image + "internal/job"},
		{"adapters", image + "internal/rpc", image + "internal/sqlite", image + "internal/rpc/convert"},
		{"adapters", image + "internal/manager", image + "internal/litequeue", image + "internal/job"},
		{"test code", storage + "internal/fs", "testing", "io"},
		{"test code", storage + "app", storage + "internal/blobtest", storage + "internal/blob"},
		{"no libvips", image + "app", "github.com/davidbyttow/govips/v2/vips", "modernc.org/libc"},
		{"owner", storage + "internal/fs", "github.com/minio/minio-go/v7", "golang.org/x/sys/unix"},
		{"owner", "calotype/kit/boot", "github.com/hashicorp/consul/api", "go-micro.dev/v4/registry"},
		{"left out", "calotype/kit/rpc", "github.com/go-micro/plugins/v4/client/grpc", "google.golang.org/grpc"},
		{"owner", image + "internal/worker", "github.com/davidbyttow/govips/v2/vips", "io"},
		{"names", "calotype/kit/util", "", ""},
	} {
		name, path := c.from[strings.LastIndex(c.from, "/")+1:], c.from
		if rest, ok := strings.CutPrefix(c.from, "main:"); ok {
			name, path = "main", rest
		}
		bad := faults([]pkg{{ImportPath: path, Name: name, Imports: []string{c.bad}, Deps: []string{c.bad}}})
		if !strings.Contains(strings.Join(bad, "\n"), "["+c.rule) {
			t.Errorf("%s importing %s: found %q, want a breach of %q", path, c.bad, bad, c.rule)
		}
		if c.good == "" {
			continue
		}
		if good := faults([]pkg{{ImportPath: path, Name: name, Imports: []string{c.good}, Deps: []string{c.good}}}); len(good) > 0 {
			t.Errorf("%s importing %s: found %q, want no breach", path, c.good, good)
		}
	}
}

// list asks go for every package of both modules.
func list(t *testing.T) []pkg {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Imports,Deps", "calotype/...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
