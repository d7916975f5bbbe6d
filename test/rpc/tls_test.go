package rpc

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go-micro.dev/v4/client"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// TestMutualTLS configures processes as a person would: services call each other with certificates, and nobody else calls them.
func TestMutualTLS(t *testing.T) {
	w := newWorld(t)
	files := servers.NewAuthority(t).Issue(t.TempDir(), 1)
	env := []string{"CALOTYPE_RPC__TLS__ENABLED=true", "CALOTYPE_RPC__TLS__CA_FILE=" + files.CA, "CALOTYPE_RPC__TLS__CERT_FILE=" + files.Cert, "CALOTYPE_RPC__TLS__KEY_FILE=" + files.Key}
	w.start(t, "second", append(env, "RPC_TEST_SERVICE=second")...)
	w.start(t, "first", append(env, "RPC_TEST_SERVICE=first", "RPC_TEST_NEXT=second")...)
	secret, err := rpc.TLSFiles{CA: files.CA, Cert: files.Cert, Key: files.Key}.Client()
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClient(rpc.ClientConfig{Log: slog.New(slog.DiscardHandler), TLS: secret}, client.Registry(w.registry))
	defer c.Close()
	call := func(c *rpc.Client) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := greeterv1.NewGreeterService("first", c).Hello(ctx, &greeterv1.HelloRequest{Name: "relay:"})
		return err
	}
	eventually(t, "the way over both nodes stands", func() bool { err = call(c); return err == nil })
	if err := call(w.client); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a caller without a certificate got %v", err)
	}
}
