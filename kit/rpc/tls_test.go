package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// issue writes a certificate, its key and the authority's certificate into a folder.
func (a *authority) issue(t *testing.T, dir string, serial int64) rpc.TLSFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return rpc.TLSFiles{
		CA: write("ca.pem", "CERTIFICATE", a.cert.Raw), Cert: write("cert.pem", "CERTIFICATE", der), Key: write("key.pem", "PRIVATE KEY", secret),
		Log: quiet(),
	}
}

func TestMutualTLSAndRenewal(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	files := ours.issue(t, dir, 10)
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
	own := ours.issue(t, t.TempDir(), 11)
	strangers := theirs.issue(t, t.TempDir(), 12)
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
	ours.issue(t, dir, 13)
	eventually(t, "the new certificate is served", func() bool { return served() == 13 })
	// And so is another authority, on both sides: what the server trusts, and what the client does.
	theirs.issue(t, dir, 14)
	eventually(t, "the other authority's callers are taken", func() bool { return try(&strangers) == nil })
	if err := try(&own); err == nil {
		t.Error("callers of the former authority are still taken")
	}
}

func TestTLSFilesAreChecked(t *testing.T) {
	good := newAuthority(t).issue(t, t.TempDir(), 1)
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
