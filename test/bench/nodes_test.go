package bench

import (
	"path/filepath"
	"slices"
	"testing"

	"calotype/test/servers"
)

// Pictures by HTTP from Calotype in processes of their own, found through Consul, behind Debian's Nginx with the configuration of the
// cluster, beside sharp as in BenchmarkServers. Nginx has seen no address before: what it answers from its disk, BenchmarkCached tells.
func BenchmarkServersThroughNginx(b *testing.B) {
	services := []string{"./gateway", "./services/storage", "./services/image", "./services/image/worker"}
	besideSharp(b, "through nginx", services, func(bin string, files map[string][]string, env ...string) *suite {
		return newNodes(b, bin, files, env...)
	})
}

// newNodes starts one process of each service, and Nginx with its companion before the gateway.
func newNodes(b *testing.B, bin string, files map[string][]string, env ...string) *suite {
	b.Helper()
	dir, registry := b.TempDir(), servers.NewConsul(b)
	shared := []string{"CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES=" + registry.Addr, "CALOTYPE_LOG__LEVEL=warn", "CALOTYPE_TRACING__SAMPLER=off"}
	s := &suite{processes: map[string]*servers.Process{}}
	start := func(program string, more ...string) {
		ops := servers.FreePort(b)
		s.processes[filepath.Base(program)] = servers.Run(b, servers.Program{
			Path: program, Ready: serves("http://" + ops + "/readyz"),
			Env: slices.Concat(shared, []string{"CALOTYPE_OPS__LISTEN=" + ops}, more),
		})
	}
	queue := "CALOTYPE_QUEUE__PATH=" + filepath.Join(dir, "queue.db")
	worker, anywhere := servers.FreePort(b), "CALOTYPE_RPC__LISTEN=127.0.0.1:0"
	start(filepath.Join(bin, "storage"), anywhere, "CALOTYPE_STORAGE__ROOT="+filepath.Join(dir, "blobs"))
	start(filepath.Join(bin, "image"), anywhere, queue, "CALOTYPE_IMAGE__DATABASE="+filepath.Join(dir, "image.db"))
	start(filepath.Join(bin, "worker"), append(env, queue, "CALOTYPE_RPC__LISTEN="+worker)...)
	start(filepath.Join(bin, "gateway"), anywhere, "CALOTYPE_HTTP__LISTEN="+servers.FreePort(b))
	edge := servers.NewEdge(b)
	start(edge.Program, append(edge.Env, "CALOTYPE_EDGE__WORKERS=2", "CALOTYPE_EDGE__ACCESS_LOG="+filepath.Join(dir, "access.log"))...)
	s.base = edge.URL
	if err := s.reach(worker); err != nil {
		b.Fatal(err)
	}
	s.keep(b, files)
	return s
}
