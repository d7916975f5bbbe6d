package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Edge is what stands before the gateways, to be run with Env and with where the gateways are to be found.
type Edge struct {
	Program string
	URL     string // of REST, and host:port of gRPC
	GRPC    string
	Env     []string
}

// NewEdge builds it for the Nginx of this machine.
func NewEdge(t testing.TB) Edge {
	t.Helper()
	program := filepath.Join(t.TempDir(), "edge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", program, "calotype/cmd/edge").CombinedOutput(); err != nil {
		t.Fatalf("building Nginx's companion: %v\n%s", err, out)
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // not on everybody's PATH
	}
	template, err := filepath.Abs("../../deploy/nginx/nginx.conf.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "edge") //nolint:usetesting // short, for the sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at, grpc := FreePort(t), FreePort(t)
	return Edge{Program: program, URL: "http://" + at, GRPC: grpc, Env: []string{
		"CALOTYPE_EDGE__NGINX=" + nginx, "CALOTYPE_EDGE__TEMPLATE=" + template, "CALOTYPE_EDGE__DIR=" + filepath.Join(dir, "run"),
		"CALOTYPE_EDGE__STATE=" + filepath.Join(dir, "gateways.json"), "CALOTYPE_EDGE__CACHE__DIR=" + filepath.Join(dir, "cache"),
		"CALOTYPE_EDGE__HTTP=" + at, "CALOTYPE_EDGE__GRPC=" + grpc, "CALOTYPE_EDGE__CONNECTIONS=256",
	}}
}
