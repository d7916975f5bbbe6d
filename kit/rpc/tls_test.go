package rpc_test

import (
	"context"
	"crypto/tls"
	"os"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// issue gives a new certificate of an authority.
func issue(a *servers.Authority, dir string, serial int64) rpc.TLSFiles {
	f := a.Issue(dir, serial)
	return rpc.TLSFiles{CA: f.CA, Cert: f.Cert, Key: f.Key, Log: quiet()}
}

func TestMutualTLSAndRenewal(t *testing.T) {
	ours, theirs := servers.NewAuthority(t), servers.NewAuthority(t)
	dir := t.TempDir()
	files := issue(ours, dir, 10)
	serverTLS, err := files.Server()
	if err != nil {
		t.Fatal(err)
	}
	reg := registry.NewMemoryRegistry()
	s := serveWith(t, rpc.ServerConfig{Log: quiet(), TLS: serverTLS}, reg, proto.Greeter, "a", greets(&greeter{}))
	try := func(f *rpc.TLSFiles) error {
		cfg := rpc.ClientConfig{Log: quiet()}
		if f != nil {
			var err error
			if cfg.TLS, err = f.Client(); err != nil {
				return err
			}
		}
		c := rpc.NewClient(cfg)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := greeterv1.NewGreeterService(proto.Greeter, c).Hello(ctx, &greeterv1.HelloRequest{}, client.WithAddress(s.Addr()))
		return err
	}
	own := issue(ours, t.TempDir(), 11)
	strangers := issue(theirs, t.TempDir(), 12)
	nobody, misled := own, own
	nobody.Cert, nobody.Key = "", ""
	misled.ServerName = "somebody.else"
	if err := try(&own); err != nil {
		t.Errorf("with a certificate of the authority: %v", err)
	}
	for what, f := range map[string]*rpc.TLSFiles{"clear text": nil, "another authority": &strangers, "no certificate": &nobody, "another name": &misled} {
		if err := try(f); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", what, err)
		}
	}

	served := func() int64 {
		pair, err := tls.LoadX509KeyPair(own.Cert, own.Key)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := served(); n != 10 {
		t.Fatalf("serves certificate %d", n)
	}
	// What is no certificate changes nothing; what is one is taken up without a restart.
	if err := os.WriteFile(files.Cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := try(&own); err != nil {
		t.Errorf("with a broken file on the server: %v", err)
	}
	issue(ours, dir, 13)
	eventually(t, "the new certificate is served", func() bool { return served() == 13 })
	// And so is another authority, on both sides: what the server trusts, and what the client does.
	issue(theirs, dir, 14)
	eventually(t, "the other authority's callers are taken", func() bool { return try(&strangers) == nil })
	if err := try(&own); err == nil {
		t.Error("callers of the former authority are still taken")
	}
}

func TestTLSFilesAreChecked(t *testing.T) {
	good := issue(servers.NewAuthority(t), t.TempDir(), 1)
	for what, change := range map[string]func(*rpc.TLSFiles){
		"no certificate": func(f *rpc.TLSFiles) { f.Cert, f.Key = "", "" },
		"no key":         func(f *rpc.TLSFiles) { f.Key = "" },
		"not there":      func(f *rpc.TLSFiles) { f.CA = "/does/not/exist" },
		"no authority":   func(f *rpc.TLSFiles) { f.CA = f.Key },
	} {
		f := good
		change(&f)
		if _, err := f.Server(); err == nil {
			t.Errorf("%s: was taken", what)
		}
	}
}
