package leader

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/kit/registry"
)

// The kinds of election.
const (
	Local  = "local"
	Consul = "consul"
	Etcd   = "etcd"
)

const shortest, longest = time.Second, time.Hour // TTL

// Config says who decides who leads. The addresses of Consul or etcd, and what opens them, are the registry's.
type Config struct {
	Kind   string        `koanf:"kind" doc:"who decides which of a service's processes leads: local (each leads, so there must be one), consul or etcd; empty is what the registry is, or else local"`
	TTL    time.Duration `koanf:"ttl" doc:"how soon another process leads after the leader died"`
	Prefix string        `koanf:"prefix" doc:"where in Consul's key/value store, or etcd, the leaders are kept; Consul's token needs key:write there, and session:write; etcd's user reads and writes there"`
}

// DefaultConfig follows the registry.
func DefaultConfig() Config { return Config{TTL: 10 * time.Second, Prefix: "calotype/leader"} }

// Validate reports what New would refuse.
func (c Config) Validate() []fault.Field {
	var fs []fault.Field
	bad := func(path, format string, args ...any) {
		fs = append(fs, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains([]string{"", Local, Consul, Etcd}, c.Kind) {
		bad("kind", "%q is not one of local, consul, etcd", c.Kind)
	}
	if c.TTL < shortest || c.TTL > longest {
		bad("ttl", "%v is not within %v..%v", c.TTL, shortest, longest)
	}
	if c.Prefix == "" || strings.HasPrefix(c.Prefix, "/") || strings.HasSuffix(c.Prefix, "/") {
		bad("prefix", "%q is no folder: it is like a/b, without slashes around it", c.Prefix)
	}
	return fs
}

func (c Config) kind(r registry.Config) string {
	switch {
	case c.Kind != "":
		return c.Kind
	case r.Kind == registry.Consul:
		return Consul
	case r.Kind == registry.Etcd:
		return Etcd
	}
	return Local
}

// The shares of the TTL. A leader stops lease after the beginning of its last heartbeat that arrived, and nobody takes over before
// patience has gone by since it arrived: what is between them is for the work to end in.
func (c Config) interval() time.Duration { return c.TTL / 6 }
func (c Config) lease() time.Duration    { return c.TTL / 2 }

// pause is how long who cannot lead, or did so and came to an end, lets others go first.
func (c Config) pause() time.Duration { return min(c.TTL/10, time.Second) }
