package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"calotype/proto"
	"calotype/test/servers"
)

// TestNodesAreFoundByNames runs every service without a registry, found by the names of their hosts alone. A photograph goes through them;
// one that is killed and returns at its address is found again.
func TestNodesAreFoundByNames(t *testing.T) {
	data, front := t.TempDir(), servers.FreePort(t)
	at := map[string]string{}
	lines := []string{proto.Gateway + "=http://" + onLocalhost(t, front)}
	for _, name := range []string{proto.Storage, proto.Image, proto.Worker, proto.Greeter} {
		at[name] = servers.FreePort(t)
		lines = append(lines, name+"="+onLocalhost(t, at[name]))
	}
	env := []string{"CALOTYPE_REGISTRY__KIND=dns", "CALOTYPE_REGISTRY__NAMES=" + strings.Join(lines, ","), "CALOTYPE_REGISTRY__INTERVAL=200ms", "CALOTYPE_LOG__LEVEL=warn"}
	queue := "CALOTYPE_QUEUE__PATH=" + filepath.Join(data, "queue.db")
	c := &cluster{base: "http://" + front, nodes: map[string]*servers.Process{}}
	run := func(name, program string, more ...string) {
		c.start(t, name, program, env, append(more, "CALOTYPE_RPC__LISTEN="+at[name])...)
	}
	run(proto.Storage, "storage", "CALOTYPE_STORAGE__ROOT="+filepath.Join(data, "blobs"))
	run(proto.Image, "image", "CALOTYPE_IMAGE__DATABASE="+filepath.Join(data, "image.db"), queue)
	run(proto.Worker, "worker", queue)
	run(proto.Greeter, "greeter")
	c.start(t, proto.Gateway, "gateway", env, "CALOTYPE_RPC__LISTEN=127.0.0.1:0", "CALOTYPE_HTTP__LISTEN="+front)
	c.registered(t, map[string]int{proto.Storage: 1, proto.Image: 1, proto.Worker: 1, proto.Greeter: 1, proto.Gateway: 1})
	_, job := process(t, c.base, "thumb", picture(t, "photo.jpg"))
	download(t, c.base, job, job.Results[0])

	c.nodes[proto.Greeter].Kill()
	run(proto.Greeter, "greeter")
	eventually(t, "the greeter that returned answers", func() error {
		a, err := send(within(t), http.MethodGet, c.base+"/v1/greeter/hello?name=Ada", nil, nil)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return err
	})
}

// onLocalhost names an address's host.
func onLocalhost(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("localhost", port)
}
