package rpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go-micro.dev/v4/client"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
)

// selfSigned writes a certificate that is its own authority, for 127.0.0.1.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nodes"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestMutualTLS configures processes as a person would: services call each other with certificates, and nobody else calls them.
func TestMutualTLS(t *testing.T) {
	w := newWorld(t)
	cert, key := selfSigned(t)
	env := []string{"CALOTYPE_RPC__TLS__ENABLED=true", "CALOTYPE_RPC__TLS__CA_FILE=" + cert, "CALOTYPE_RPC__TLS__CERT_FILE=" + cert, "CALOTYPE_RPC__TLS__KEY_FILE=" + key}
	w.start(t, "second", append(env, "RPC_TEST_SERVICE=second")...)
	w.start(t, "first", append(env, "RPC_TEST_SERVICE=first", "RPC_TEST_NEXT=second")...)
	secret, err := rpc.TLSFiles{CA: cert, Cert: cert, Key: key}.Client()
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
