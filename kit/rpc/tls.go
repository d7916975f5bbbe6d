package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles are PEM files. They are read again when they change, so that a certificate is renewed without a restart; connections
// that stand keep what they began with.
type TLSFiles struct {
	CA         string // who signs the other side's certificate; empty: for a client the system's authorities, for a server anybody may call
	Cert, Key  string // a server's must be there; a client's is for servers that ask for it
	ServerName string // the name that servers' certificates bear, where it is not the address they are dialled at
	Log        *slog.Logger
}

// Server gives a server's configuration. With CA, callers must have a certificate too (mutual TLS).
func (f TLSFiles) Server() (*tls.Config, error) {
	if f.Cert == "" {
		return nil, errors.New("rpc: TLS: a server needs a certificate and its key")
	}
	k, err := f.open()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return k.current().server, nil
		},
	}, nil
}

// Client gives a client's configuration.
func (f TLSFiles) Client() (*tls.Config, error) {
	k, err := f.open()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.Cert != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return k.current().cert, nil
		}
	}
	if f.CA != "" {
		// crypto/tls would keep the authorities it began with: the same check is made here, against those of today.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error {
			o := x509.VerifyOptions{Roots: k.current().authorities, DNSName: s.ServerName, Intermediates: x509.NewCertPool()}
			for _, between := range s.PeerCertificates[1:] {
				o.Intermediates.AddCert(between)
			}
			_, err := s.PeerCertificates[0].Verify(o)
			return err
		}
	}
	return c, nil
}

// keys is what the files held when they were last read.
type keys struct {
	cert        *tls.Certificate
	authorities *x509.CertPool
	server      *tls.Config
	stamp       string
}

// keeper reads the files again when they have changed. It looks when a connection is made, at most once a second.
type keeper struct {
	files  TLSFiles
	mu     sync.Mutex
	looked time.Time
	failed string // the stamp of files that were no good
	keys   *keys
}

func (f TLSFiles) open() (*keeper, error) {
	if f.Log == nil {
		f.Log = slog.Default()
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("rpc: TLS: a certificate and its key go together")
	}
	k := &keeper{files: f, looked: time.Now()}
	var err error
	k.keys, err = f.read()
	return k, err
}

func (k *keeper) current() *keys {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.looked) >= time.Second {
		k.looked = now
		if stamp := k.files.stamp(); stamp != k.keys.stamp && stamp != k.failed {
			if fresh, err := k.files.read(); err != nil {
				// Certificate and key are two files: the next look may find them fitting.
				k.failed = stamp
				k.files.Log.Warn("the TLS files changed and are no good; keeping the former ones", "error", err)
			} else {
				k.keys, k.failed = fresh, ""
				k.files.Log.Info("the TLS files were read again")
			}
		}
	}
	return k.keys
}

// stamp changes whenever a file does.
func (f TLSFiles) stamp() string {
	var all string
	for _, path := range []string{f.CA, f.Cert, f.Key} {
		if info, err := os.Stat(path); err == nil {
			all += fmt.Sprint(info.ModTime().UnixNano(), info.Size(), ";")
		}
	}
	return all
}

func (f TLSFiles) read() (*keys, error) {
	k := &keys{stamp: f.stamp()}
	k.server = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("rpc: TLS: %w", err)
		}
		k.cert, k.server.Certificates = &pair, []tls.Certificate{pair}
	}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("rpc: TLS: %w", err)
		}
		k.authorities = x509.NewCertPool()
		if !k.authorities.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("rpc: TLS: %s holds no certificate", f.CA)
		}
		k.server.ClientCAs, k.server.ClientAuth = k.authorities, tls.RequireAndVerifyClientCert
	}
	return k, nil
}
