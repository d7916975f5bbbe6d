package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

// Who may do what with the policies that a cluster is set up with.
func TestConsulPolicies(t *testing.T) {
	began := time.Now()
	c := NewConsulCluster(t, 3)
	t.Logf("three servers with a leader, policies and tokens after %v", time.Since(began).Round(time.Millisecond))
	ask := func(node int, token, method, path string, body any) (int, string) {
		t.Helper()
		var text []byte
		if body != nil {
			text, _ = json.Marshal(body)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.Nodes[node].Addr+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Consul-Token", token)
		rsp, err := asking().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer rsp.Body.Close()
		got, err := io.ReadAll(rsp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return rsp.StatusCode, string(got)
	}
	must := func(what string, want, got int, text string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d: %s", what, got, want, text)
		}
	}
	// A token may be news to the follower that is asked: until it is not, 403 says nothing.
	for service, token := range c.Tokens {
		for i := range c.Nodes {
			awaitTrue(t, service+"'s token is known", func() bool {
				code, _ := ask(i, token, http.MethodGet, "/v1/acl/token/self", nil)
				return code == http.StatusOK
			})
		}
	}
	own := map[string]string{
		"gateway": "calotype-gateway", "greeter": "calotype-greeter", "image-manager": "calotype-image", "image-worker": "calotype-image-worker", "storage": "calotype-storage",
	}
	for i, service := range []string{"gateway", "greeter", "image-manager", "image-worker", "storage", "nginx"} {
		node, token := i%3, c.Tokens[service]
		for of, name := range own {
			want := http.StatusForbidden
			if of == service {
				want = http.StatusOK
			}
			registration := map[string]any{"ID": name + "-1", "Name": name, "Port": 9000, "Check": map[string]string{"TTL": "60s"}}
			code, text := ask(node, token, http.MethodPut, "/v1/agent/service/register", registration)
			must(service+" registers "+name, want, code, text)
			if want == http.StatusOK {
				code, text = ask(node, token, http.MethodPut, "/v1/agent/check/pass/service:"+name+"-1", nil)
				must(service+" renews "+name, want, code, text)
			}
		}
		code, text := ask(node, token, http.MethodGet, "/v1/kv/calotype/config", nil)
		must(service+" reads the live document", http.StatusOK, code, text)
		code, text = ask(node, token, http.MethodPut, "/v1/kv/calotype/config", "x")
		must(service+" writes the live document", http.StatusForbidden, code, text)
		code, text = ask(node, token, http.MethodGet, "/v1/acl/tokens", nil)
		must(service+" lists tokens", http.StatusForbidden, code, text)

		want := http.StatusForbidden
		if service == "image-manager" {
			want = http.StatusOK
		}
		code, text = ask(node, token, http.MethodPut, "/v1/session/create", map[string]any{"Name": "x", "TTL": "10s", "NodeChecks": []string{}})
		must(service+" makes a session", want, code, text)
		code, text = ask(node, token, http.MethodPut, "/v1/kv/calotype/leader/calotype-image/sweep", "x")
		must(service+" writes a leader", want, code, text)
		code, text = ask(node, token, http.MethodPut, "/v1/kv/calotype/leader/other/sweep", "x")
		must(service+" writes another service's leader", http.StatusForbidden, code, text)
	}
	// Whoever has a token finds all nodes, wherever they are registered; without one there are none.
	for _, name := range own {
		awaitTrue(t, name+" is found", func() bool {
			_, text := ask(0, c.Tokens["nginx"], http.MethodGet, "/v1/health/service/"+name+"?passing", nil)
			return len(text) > len("[]\n")
		})
		if code, text := ask(1, "", http.MethodGet, "/v1/health/service/"+name, nil); code == http.StatusOK && text != "[]" {
			t.Errorf("nobody in particular sees %s: %d %s", name, code, text)
		}
	}
	code, text := ask(2, "", http.MethodGet, "/v1/kv/calotype/config", nil)
	must("nobody in particular reads the live document", http.StatusForbidden, code, text)

	// What sets it up may run again, and follows tokens that were changed.
	was := c.Tokens["greeter"]
	c.Tokens["greeter"] = c.secret("consul-token-greeter", uuid())
	c.Init()
	for i := range c.Nodes {
		awaitTrue(t, "greeter's new token counts", func() bool {
			code, _ := ask(i, c.Tokens["greeter"], http.MethodGet, "/v1/kv/calotype/config", nil)
			return code == http.StatusOK
		})
		awaitTrue(t, "its old one does not", func() bool {
			code, _ := ask(i, was, http.MethodGet, "/v1/kv/calotype/config", nil)
			return code == http.StatusForbidden
		})
	}
}

// A cluster does without any one of its servers.
func TestConsulClusterStandsWithoutOne(t *testing.T) {
	c := NewConsulCluster(t, 3)
	leader := c.Leader()
	leader.Kill()
	began := time.Now()
	if c.Leader() == leader {
		t.Error("a killed server leads")
	}
	t.Logf("another leads %v after the leader was killed", time.Since(began).Round(time.Millisecond))
	leader.Start()
}

func awaitTrue(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-again.C:
		}
	}
}
