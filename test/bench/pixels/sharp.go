package pixels

import (
	"context"
	"errors"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"calotype/test/servers"
)

// Sharp is sharp behind the HTTP server of Node.js, on a folder of originals.
type Sharp struct {
	*servers.Process
	Version string
	Library string // its libvips
	base    string
}

var sharpSays = regexp.MustCompile(`port (\d+) (sharp .*)\n`)

// NewSharp starts it; sharp is got when this machine does not have it.
func NewSharp(tb testing.TB, originals string) *Sharp {
	tb.Helper()
	folder, err := exec.CommandContext(tb.Context(), filepath.Join(checkout(tb), "tools", "provision", "sharp.sh")).Output()
	if err != nil {
		tb.Fatalf("get sharp: %v", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Sharp{}
	dir := strings.TrimSpace(string(folder))
	libraries, err := filepath.Glob(filepath.Join(dir, "node_modules", "@img", "sharp-libvips-*", "lib", "libvips-cpp.so.*"))
	if err != nil || len(libraries) != 1 {
		tb.Fatalf("the libvips of sharp is not to be found below %s: %v", dir, libraries)
	}
	s.Library = libraries[0]
	s.Process = servers.Run(tb, servers.Program{
		Path: node, Args: []string{filepath.Join(checkout(tb), "test", "bench", "pixels", "sharp", "sharp.js"), dir, originals},
		Ready: func(_ context.Context, p *servers.Process) error {
			found := sharpSays.FindStringSubmatch(p.Log())
			if found == nil {
				return errors.New("it has not said its port")
			}
			s.base, s.Version = "http://127.0.0.1:"+found[1], found[2]
			return nil
		},
	})
	return s
}

// URL is where a shape of a file is.
func (s *Sharp) URL(shape Shape, file string) string {
	return s.base + "/" + shape.sharp + "/" + url.PathEscape(filepath.Base(file))
}
