// Package registry chooses the go-micro registry of a process: memory for everything in one process, mdns for a quiet network,
// consul or etcd for the rest, or dns, which is no registry. It is the one place, with kit/leader, that knows Consul.
//
// What Watch does differs, and none of them can be trusted alone: memory gives a watcher 10 ms to take an event and then drops it;
// mdns hears announcements only, never the silence of a node that died; consul's is our own (the plugin's waits 5 s after its
// first failure and up to 3 min later). So take an event as a reason to call GetService again, and call it from time to time
// without one. GetService never gives critical nodes; right after an agent changed, consul may give one node twice.
package registry

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"go-micro.dev/v4/registry"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// The kinds of registry.
const (
	Memory = "memory"
	MDNS   = "mdns"
	Consul = "consul"
	Etcd   = "etcd"
	DNS    = "dns"
)

// Config says which registry is used and how nodes stay in it.
type Config struct {
	Kind        string        `koanf:"kind" doc:"where nodes find each other: memory (one process only), mdns, consul, etcd or dns"`
	Addresses   []string      `koanf:"addresses" doc:"Consul agents or etcd servers, host:port, or a host with the usual port; any is asked first, and the next when one does not answer as it should"`
	Names       []string      `koanf:"names" doc:"dns: where each service's nodes are, service=host:port, or service=http://host:port of the gateways; every address of the host is a node"`
	Token       config.Secret `koanf:"token" doc:"Consul's ACL token; needs service:write on what is registered, service:read and node:read"`
	Username    string        `koanf:"username" doc:"etcd's user; needs to read and write below /micro/registry/, and what live settings and leaders are kept under"`
	Password    config.Secret `koanf:"password" doc:"the password of etcd's user"`
	Datacenter  string        `koanf:"datacenter" doc:"Consul's datacenter; empty is the agent's own"`
	Datacenters []string      `koanf:"datacenters" doc:"other datacenters of Consul, the nearest first: a service's nodes there are called while none of one's own can be; empty calls one's own only"`
	TLS         TLS           `koanf:"tls"`
	TTL         time.Duration `koanf:"ttl" doc:"how long a node that does not renew is still found"`
	Interval    time.Duration `koanf:"interval" doc:"how often a node renews; with dns, how often names are looked up"`
}

// TLS says how Consul or etcd is spoken to.
type TLS struct {
	Enabled    bool   `koanf:"enabled" doc:"speak TLS to Consul or etcd"`
	CAFile     string `koanf:"ca_file" doc:"PEM file of the authorities that are trusted; empty is the system's"`
	CertFile   string `koanf:"cert_file" doc:"PEM file of the client's certificate"`
	KeyFile    string `koanf:"key_file" doc:"PEM file of the client's key"`
	ServerName string `koanf:"server_name" doc:"the name the server's certificate must bear, where it is not the address"`
}

// DefaultConfig keeps to one process.
func DefaultConfig() Config {
	return Config{Kind: Memory, Addresses: []string{"127.0.0.1"}, TTL: 8 * time.Second, Interval: 2500 * time.Millisecond}
}

// Validate reports what New would refuse.
func (c Config) Validate() []fault.Field {
	var fs []fault.Field
	bad := func(path, format string, args ...any) {
		fs = append(fs, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains([]string{Memory, MDNS, Consul, Etcd, DNS}, c.Kind) {
		bad("kind", "%q is not one of memory, mdns, consul, etcd, dns", c.Kind)
	}
	if c.Interval <= 0 {
		bad("interval", "%v is no time", c.Interval)
	}
	if c.TTL < 2*c.Interval {
		bad("ttl", "%v is less than two intervals of %v: one lost renewal would lose the node", c.TTL, c.Interval)
	}
	if c.Kind == DNS {
		if len(c.Names) == 0 {
			bad("names", "names no service")
		}
		for i, line := range c.Names {
			if _, _, err := parseName(line); err != nil {
				bad(fmt.Sprintf("names[%d]", i), "%v", err)
			}
		}
	}
	if c.Kind != Consul && c.Kind != Etcd {
		return fs
	}
	if len(c.Addresses) == 0 {
		bad("addresses", "names no server")
	}
	if c.Kind == Etcd && c.Token != "" {
		bad("token", "is Consul's; etcd takes a username and a password, or a certificate")
	}
	if c.Kind == Etcd && len(c.Datacenters) > 0 {
		bad("datacenters", "are Consul's; etcd knows of none")
	}
	for i, d := range c.Datacenters {
		if d == "" || d == c.Datacenter || slices.Contains(c.Datacenters[:i], d) {
			bad(fmt.Sprintf("datacenters[%d]", i), "%q is empty, one's own, or named twice", d)
		}
	}
	if c.Kind == Etcd && (c.Username == "") != (c.Password == "") {
		bad("username", "a user and a password go together")
	}
	for i, a := range c.Addresses {
		if _, err := hostPort(a, c.port()); err != nil {
			bad(fmt.Sprintf("addresses[%d]", i), "%v", err)
		}
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		bad("tls", "a certificate and its key go together")
	}
	if !c.TLS.Enabled && (c.TLS.CAFile != "" || c.TLS.CertFile != "") {
		bad("tls", "has files but is not enabled")
	}
	return fs
}

// port is the usual one.
func (c Config) port() string {
	if c.Kind == Etcd {
		return "2379"
	}
	return "8500"
}

// addresses are complete.
func (c Config) addresses() ([]string, error) {
	var out []string
	for _, a := range c.Addresses {
		address, err := hostPort(a, c.port())
		if err != nil {
			return nil, err
		}
		out = append(out, address)
	}
	return out, nil
}

// hostPort adds the port where there is none.
func hostPort(a, usual string) (string, error) {
	host, port, err := net.SplitHostPort(a)
	var ae *net.AddrError
	if errors.As(err, &ae) && ae.Err == "missing port in address" {
		host, port, err = a, usual, nil
	}
	if err != nil || host == "" || port == "" {
		return "", fmt.Errorf("%q is not host:port", a)
	}
	return net.JoinHostPort(host, port), nil
}

// New makes the registry. It asks nobody: an agent that is away now may come.
func New(cfg Config) (registry.Registry, error) {
	if fs := cfg.Validate(); len(fs) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the registry configuration is wrong", Fields: fs}
	}
	switch cfg.Kind {
	case Consul:
		if len(cfg.Datacenters) > 0 {
			return newFederation(cfg)
		}
		c, err := newConsul(cfg)
		if err != nil {
			return nil, err
		}
		return c, nil
	case Etcd:
		return newEtcd(cfg)
	case DNS:
		return newNames(cfg)
	case MDNS:
		return registry.NewRegistry(), nil
	}
	return registry.NewMemoryRegistry(), nil
}
