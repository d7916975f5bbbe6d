package servers

import (
	"context"
	"net"
	"testing"
)

// ZincSearch is a store of documents that speaks as Elasticsearch does, and keeps over Kill and Start what it finds.
type ZincSearch struct {
	*Process
	URL            string // of Elasticsearch's API
	User, Password string
}

// NewZincSearch starts a store without indices and returns when it answers.
func NewZincSearch(t testing.TB) *ZincSearch {
	t.Helper()
	addr := FreePort(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	z := &ZincSearch{URL: "http://" + addr + "/es", User: "calotype", Password: "calotype-for-tests"}
	z.Process = Run(t, Program{
		Path: find(t, "zincsearch"),
		Env: []string{
			"ZINC_FIRST_ADMIN_USER=" + z.User, "ZINC_FIRST_ADMIN_PASSWORD=" + z.Password, "ZINC_DATA_PATH=" + t.TempDir(),
			"ZINC_SERVER_ADDRESS=127.0.0.1", "ZINC_SERVER_PORT=" + port, "ZINC_MAX_RESULTS=100000", "ZINC_SHARD_NUM=1",
			"ZINC_SENTRY=false", "ZINC_TELEMETRY=false", "GIN_MODE=release",
		},
		Ready: func(ctx context.Context, _ *Process) error { return answers(ctx, "http://"+addr+"/healthz") },
	})
	return z
}
