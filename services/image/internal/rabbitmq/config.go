package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config says which brokers there are and how patient the client is.
type Config struct {
	URLs           []string      `koanf:"urls" doc:"the brokers of one cluster, amqp://host:5672/vhost or amqps://...; any that answers is used"`
	Username       string        `koanf:"username" doc:"user at the brokers"`
	Password       config.Secret `koanf:"password" doc:"its password"`
	Prefix         string        `koanf:"prefix" doc:"what the names of all queues and exchanges begin with"`
	Heartbeat      time.Duration `koanf:"heartbeat" doc:"how often a connection shows life; after three times that it counts as broken"`
	DialTimeout    time.Duration `koanf:"dial_timeout" doc:"how long one broker may take to answer a new connection"`
	ConfirmTimeout time.Duration `koanf:"confirm_timeout" doc:"how long a broker may take to confirm a message before another is asked"`
	PublishTimeout time.Duration `koanf:"publish_timeout" doc:"how long a message may take to be confirmed by any broker"`
	TLS            TLSConfig     `koanf:"tls"`

	// MaxDeliveries is how many deliveries may be lost before a message is set aside.
	MaxDeliveries int `koanf:"-"`
}

// TLSConfig is for amqps:// brokers.
type TLSConfig struct {
	CAFile   string `koanf:"ca_file" doc:"certificates that brokers' are checked against; none: those of the system"`
	CertFile string `koanf:"cert_file" doc:"certificate to show to the brokers"`
	KeyFile  string `koanf:"key_file" doc:"its key"`
}

// DefaultConfig is for a broker on this machine, as it comes out of the box.
func DefaultConfig() Config {
	return Config{
		URLs: []string{"amqp://localhost:5672/"}, Username: "guest", Password: "guest", Prefix: "calotype.",
		Heartbeat: 5 * time.Second, DialTimeout: 3 * time.Second, ConfirmTimeout: 5 * time.Second, PublishTimeout: 15 * time.Second, MaxDeliveries: 3,
	}
}

// Validate finds every fault at once. Faults never show a URL, which could hold a password.
func (c Config) Validate() []fault.Field {
	var faults []fault.Field
	wrong := func(path, format string, args ...any) {
		faults = append(faults, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if len(c.URLs) == 0 {
		wrong("urls", "name one broker at least")
	}
	for i, u := range c.URLs {
		uri, err := amqp.ParseURI(u)
		switch {
		case err != nil || portless(u):
			wrong("urls", "number %d is not of the form amqp://host:port/vhost", i+1)
		case uri.Username != "guest" || uri.Password != "guest": // what ParseURI fills in
			wrong("urls", "number %d holds a user or a password: these belong into username and password", i+1)
		}
	}
	if c.Username == "" {
		wrong("username", "is empty")
	}
	if len(c.Prefix) > 64 {
		wrong("prefix", "is longer than 64 bytes")
	}
	for _, d := range []struct {
		path string
		is   time.Duration
		min  time.Duration
	}{
		{"heartbeat", c.Heartbeat, time.Second}, {"dial_timeout", c.DialTimeout, 100 * time.Millisecond},
		{"confirm_timeout", c.ConfirmTimeout, 100 * time.Millisecond}, {"publish_timeout", c.PublishTimeout, c.ConfirmTimeout},
	} {
		if d.is < d.min {
			wrong(d.path, "must be %v at least", d.min)
		}
	}
	if c.MaxDeliveries < 1 || c.MaxDeliveries > deliveryLimit {
		wrong("max_deliveries", "must be within 1..%d, which is where the broker itself sets messages aside", deliveryLimit)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		wrong("tls", "cert_file and key_file go together")
	}
	return faults
}

// portless reports whether a URL has the colon of a port and no port, which is read as the usual one.
func portless(u string) bool {
	parsed, err := url.Parse(u)
	return err == nil && strings.HasSuffix(parsed.Host, ":")
}

func (c TLSConfig) load() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the brokers' CA: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("the file of the brokers' CA holds no certificate")
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate for the brokers: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
