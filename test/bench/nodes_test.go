package bench

import (
	"path/filepath"
	"slices"
	"testing"

	"calotype/test/servers"
)

// programs are the services', each of which runs in a process of its own.
var programs = []string{"./gateway", "./services/storage", "./services/image", "./services/image/worker"}

// Pictures by HTTP from Calotype in processes of their own, found through Consul, behind Debian's Nginx with the configuration of the
// cluster, beside sharp as in BenchmarkServers. Nginx has seen no address before: what it answers from its disk, BenchmarkCached tells.
func BenchmarkServersThroughNginx(b *testing.B) {
	besideSharp(b, "through nginx", programs, func(bin string, files map[string][]string, env ...string) *suite {
		s := startNodes(b, bin, env...)
		edge := servers.NewEdge(b)
		s.start(b, edge.Program, append(edge.Env, "CALOTYPE_EDGE__WORKERS=2", "CALOTYPE_EDGE__ACCESS_LOG="+filepath.Join(b.TempDir(), "access.log"))...)
		s.base = edge.URL
		s.keep(b, files)
		return s.suite
	})
}

// nodes are processes that find each other in one registry.
type nodes struct {
	*suite
	shared []string // settings
}

// startNodes starts one process of each service, the worker with the environment's settings.
func startNodes(b *testing.B, bin string, env ...string) *nodes {
	b.Helper()
	dir, registry := b.TempDir(), servers.NewConsul(b)
	s := &nodes{suite: &suite{processes: map[string]*servers.Process{}}, shared: []string{
		"CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES=" + registry.Addr, "CALOTYPE_LOG__LEVEL=warn", "CALOTYPE_TRACING__SAMPLER=off",
	}}
	queue := "CALOTYPE_QUEUE__PATH=" + filepath.Join(dir, "queue.db")
	worker, rest, anywhere := servers.FreePort(b), servers.FreePort(b), "CALOTYPE_RPC__LISTEN=127.0.0.1:0"
	s.start(b, filepath.Join(bin, "storage"), anywhere, "CALOTYPE_STORAGE__ROOT="+filepath.Join(dir, "blobs"))
	s.start(b, filepath.Join(bin, "image"), anywhere, queue, "CALOTYPE_IMAGE__DATABASE="+filepath.Join(dir, "image.db"))
	s.start(b, filepath.Join(bin, "worker"), append(env, queue, "CALOTYPE_RPC__LISTEN="+worker)...)
	s.start(b, filepath.Join(bin, "gateway"), anywhere, "CALOTYPE_HTTP__LISTEN="+rest)
	s.base = "http://" + rest
	if err := s.reach(worker); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *nodes) start(b *testing.B, program string, more ...string) {
	b.Helper()
	ops := servers.FreePort(b)
	s.processes[filepath.Base(program)] = servers.Run(b, servers.Program{
		Path: program, Ready: serves("http://" + ops + "/readyz"),
		Env: slices.Concat(s.shared, []string{"CALOTYPE_OPS__LISTEN=" + ops}, more),
	})
}
