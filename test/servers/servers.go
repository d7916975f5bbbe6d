// Package servers runs the real servers that tests talk to, Consul, etcd, Jaeger, RabbitMQ, Postgres, an S3, Filebeat and ZincSearch, each on free ports of
// the loopback interface, and any other program, for as long as the test lasts. `make test` provides the programs; a test that lacks one fails.
package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// find returns the program's path: from the PATH, else from the folder that tools/provision/servers.sh keeps.
func find(t testing.TB, program string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	kept := filepath.Join(folder(), program)
	if _, err := os.Stat(kept); err != nil {
		t.Fatalf("%s is neither on the PATH nor built: run tools/provision/servers.sh once, or make test (%v)", program, err)
	}
	return kept
}

// folder names the folder as tools/provision/servers.sh does, which is not os.UserCacheDir everywhere.
func folder() string {
	if dir := os.Getenv("CALOTYPE_TOOLS"); dir != "" {
		return dir
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(cache, "calotype", "bin")
}

// ToolFolder returns the folder of a tool of tools/go.mod, which is built when it is not there.
func ToolFolder(t testing.TB, name string) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), filepath.Join(checkout(t), "tools", "provision", "tools.sh"), name).Output()
	if err != nil {
		t.Fatalf("tools.sh %s: %v", name, err)
	}
	return strings.TrimSpace(string(dir))
}

// FreePort returns an address of the loopback interface that nobody listens on at this moment.
func FreePort(t testing.TB) string {
	t.Helper()
	return local(freePorts(t, 1)[0])
}

// Ports are looked for below those that the system gives to whoever calls somebody: with those, a connection that a test makes may be at a
// port that its next server was promised.
const firstPort, endPort = 20000, 32768

// freePorts returns n ports of the loopback interface that are free for TCP and for UDP at this moment. Another process may
// take one before the server does: start tries again with others then.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		if tries > 100*n {
			t.Fatalf("no %d free ports on the loopback interface", n)
		}
		port := firstPort + rand.N(endPort-firstPort)
		tcp, err := net.Listen("tcp", local(port))
		if err != nil {
			continue
		}
		defer tcp.Close() // held until all are found, so that no port is given twice
		udp, err := net.ListenPacket("udp", local(port))
		if err != nil {
			continue
		}
		defer udp.Close()
		ports = append(ports, port)
	}
	return ports
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
