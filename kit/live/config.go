package live

import (
	"fmt"
	"slices"
	"strings"

	"calotype/kit/fault"
)

// Where the document is.
const (
	Off    = "off"
	Consul = "consul"
	Etcd   = "etcd"
	File   = "file"
)

// Config says where a process finds its live document. The addresses of Consul or etcd, and what opens them, are the registry's.
type Config struct {
	Kind string `koanf:"kind" doc:"where settings come from that change while processes run: off, consul, etcd or file"`
	Key  string `koanf:"key" doc:"the key of Consul's key/value store, or of etcd, that holds them; Consul's token needs key:read on it, etcd's user reads it"`
	File string `koanf:"file" doc:"the file that holds them, which is looked at every second"`
}

// DefaultConfig follows nothing.
func DefaultConfig() Config { return Config{Kind: Off, Key: "calotype/config"} }

// Validate reports what New would refuse.
func (c Config) Validate() []fault.Field {
	switch {
	case !slices.Contains([]string{Off, Consul, Etcd, File}, c.Kind):
		return []fault.Field{{Path: "kind", Message: fmt.Sprintf("%q is not one of off, consul, etcd, file", c.Kind)}}
	case c.Key == "" || strings.HasPrefix(c.Key, "/"):
		return []fault.Field{{Path: "key", Message: fmt.Sprintf("%q is no key: it is like a/b, without a slash before it", c.Key)}}
	case c.Kind == File && c.File == "":
		return []fault.Field{{Path: "file", Message: "is empty, though the kind is file"}}
	}
	return nil
}
