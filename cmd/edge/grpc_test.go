package main_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// newRPCGateway serves grpc.health.v1 and reflection beside REST.
func newRPCGateway(t *testing.T) (*gateway, *health.Server) {
	t.Helper()
	rpc, h := grpc.NewServer(), health.NewServer()
	healthv1.RegisterHealthServer(rpc, h)
	reflection.Register(rpc)
	return newGatewayAt(t, "127.0.0.1:0", hello, rpc), h
}

func dial(t *testing.T, address string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// calls makes one call of each kind.
func calls(t *testing.T, conn *grpc.ClientConn, h *health.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := healthv1.NewHealthClient(conn)
	h.SetServingStatus("x", healthv1.HealthCheckResponse_SERVING)
	var header metadata.MD
	rsp, err := client.Check(ctx, &healthv1.HealthCheckRequest{Service: "x"}, grpc.Header(&header))
	if err != nil || rsp.GetStatus() != healthv1.HealthCheckResponse_SERVING || len(header.Get("x-request-id")) != 1 {
		t.Fatalf("unary: %v, %v, %v", rsp, err, header)
	}
	if _, err := client.Check(ctx, &healthv1.HealthCheckRequest{Service: "nobody"}); status.Code(err) != codes.NotFound {
		t.Errorf("the service's own status becomes %v", err)
	}
	watch, err := client.Watch(ctx, &healthv1.HealthCheckRequest{Service: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		h.SetServingStatus("x", s)
		if m, err := watch.Recv(); err != nil || m.GetStatus() != s {
			t.Fatalf("a stream of the server's: %v, %v, want %v", m, err, s)
		}
	}
	both, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := both.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := both.Recv(); err != nil || len(m.GetListServicesResponse().GetService()) == 0 {
			t.Fatalf("a stream both ways: %v, %v", m, err)
		}
	}
	if err := both.CloseSend(); err != nil {
		t.Fatal(err)
	}
}

func TestGRPCPassesThrough(t *testing.T) {
	g, h := newRPCGateway(t)
	e := start(t, []string{g.addr})
	conn := dial(t, e.grpc, insecure.NewCredentials())
	calls(t, conn, h)

	// With no gateway there is a status, not a page.
	g.server.Close()
	_, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if s := status.Convert(err); s.Code() != codes.Unavailable || !strings.Contains(s.Message(), "no gateway") {
		t.Errorf("without a gateway: %v", err)
	}
}

func TestTLSServesBoth(t *testing.T) {
	certs := t.TempDir()
	makeCerts := func() {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "../../deploy/nginx/dev-certs.sh", certs, "edge.test", "10.1.2.3").CombinedOutput(); err != nil {
			t.Fatalf("dev-certs.sh: %v\n%s", err, out)
		}
	}
	makeCerts()
	g, h := newRPCGateway(t)
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__TLS__CERT_FILE="+filepath.Join(certs, "tls.crt"), "CALOTYPE_EDGE__TLS__KEY_FILE="+filepath.Join(certs, "tls.key"),
		"CALOTYPE_EDGE__TLS__HSTS=24h")
	authority, err := os.ReadFile(filepath.Join(certs, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	trust := func() *tls.Config {
		return &tls.Config{RootCAs: roots, ServerName: "edge.test", MinVersion: tls.VersionTLS12}
	}
	calls(t, dial(t, e.tls, credentials.NewTLS(trust())), h)
	for version, by := range map[string]*http.Transport{"HTTP/1.1": {TLSClientConfig: trust()}, "HTTP/2.0": {TLSClientConfig: trust(), ForceAttemptHTTP2: true}} {
		a, err := e.try(by, "GET", "https://"+e.tls+"/v1/x", nil)
		if err != nil || a.StatusCode != 200 || a.body != "hello" || a.Proto != version || a.Header.Get("Strict-Transport-Security") != "max-age=86400; includeSubDomains" {
			t.Errorf("%s: %v, %+v", version, err, a)
		}
		by.CloseIdleConnections()
	}
	old := trust()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if a, err := e.try(&http.Transport{TLSClientConfig: old}, "GET", "https://"+e.tls+"/v1/x", nil); err == nil {
		t.Errorf("TLS 1.1 is spoken: %v", a)
	}

	// A new certificate is taken without being told.
	serial := func() string {
		conn, err := (&tls.Dialer{Config: trust()}).DialContext(t.Context(), "tcp", e.tls)
		if err != nil {
			return ""
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	makeCerts()
	took := e.eventually("the new certificate is shown", func() bool { now := serial(); return now != "" && now != before })
	t.Logf("a new certificate is shown after %v", took)
}
