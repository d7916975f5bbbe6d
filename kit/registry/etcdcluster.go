package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"

	"calotype/kit/fault"
	"calotype/kit/internal/pause"
)

// EtcdCluster is etcd's servers as one: the server that answered last is asked, and the others in turn when it does not answer or has no
// leader. The client's own way, one after another for each question, would come upon a frozen one again and again. It is safe for
// concurrent use.
type EtcdCluster struct {
	servers []*etcdServer
	current atomic.Int64
}

// letIn is how long a server may take to check a password, which is meant to be slow.
const letIn = 5 * time.Second

// Etcds makes a client of the etcd servers that cfg names, for what else is kept there, whatever cfg.Kind says. It asks nobody.
func Etcds(cfg Config) (*EtcdCluster, error) {
	cfg.Kind = Etcd
	if fs := cfg.Validate(); len(fs) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the registry configuration is wrong", Fields: fs}
	}
	addrs, err := cfg.addresses()
	if err != nil {
		return nil, err
	}
	common := clientv3.Config{
		Username: cfg.Username, Password: cfg.Password.Reveal(), MaxUnaryRetries: 2, Logger: zap.NewNop(), // its errors are told by who asked
		DialTimeout: letIn, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
		// By default a server that was away is tried again after up to two minutes.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}, MinConnectTimeout: time.Second,
		})},
	}
	if cfg.TLS.Enabled {
		if common.TLS, err = cfg.TLS.client(); err != nil {
			return nil, fmt.Errorf("reading the registry's TLS files: %w", err)
		}
	}
	c := &EtcdCluster{}
	for _, a := range addrs {
		one := common
		one.Endpoints = []string{a}
		c.servers = append(c.servers, &etcdServer{cfg: one, opening: make(chan struct{}, 1)})
	}
	c.current.Store(rand.Int64N(int64(len(addrs)))) // the loss of one is then not felt by all processes at once
	return c, nil
}

// client reads the files. The certificate is read again for each connection, so that it may be replaced before it runs out.
func (t TLS) client() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		text, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate", t.CAFile)
		}
	}
	if t.CertFile == "" {
		return c, nil
	}
	read := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		return &pair, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return read() }
	_, err := read()
	return c, err
}

// Addresses are the servers', host:port.
func (c *EtcdCluster) Addresses() []string {
	var out []string
	for _, s := range c.servers {
		out = append(out, s.cfg.Endpoints...)
	}
	return out
}

// Do asks a server, and the next one where it does not answer or does not know a leader. So ask may run again when its first run was
// lost on the way, or had its effect already.
func (c *EtcdCluster) Do(ctx context.Context, ask func(context.Context, *clientv3.Client) error) error {
	n := int64(len(c.servers))
	first := c.current.Load()
	var errs []error
	for i := range n + 1 {
		at := (first + i) % n
		err := c.servers[at].try(ctx, ask)
		if err == nil || final(err) {
			c.current.CompareAndSwap(first, at)
			return err
		}
		errs = append(errs, fmt.Errorf("server %s: %w", c.servers[at].cfg.Endpoints[0], err))
		if !pause.For(ctx, breath) {
			break
		}
	}
	return errors.Join(errs...)
}

// server gives the one that is asked first, and what leaves it for the next.
func (c *EtcdCluster) server() (*etcdServer, func()) {
	at := c.current.Load()
	return c.servers[at], func() { c.current.CompareAndSwap(at, (at+1)%int64(len(c.servers))) }
}

// Close ends all connections. What is asked afterwards fails.
func (c *EtcdCluster) Close() error {
	var errs []error
	for _, s := range c.servers {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// final reports whether another server would say the same.
func final(err error) bool {
	var said rpctypes.EtcdError
	if errors.Is(err, errClosed) {
		return true
	}
	if !errors.As(err, &said) {
		return false
	}
	switch said.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Unknown, codes.Internal, codes.Unauthenticated:
		return false
	}
	return true
}
