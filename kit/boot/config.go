// Package boot builds a process and the go-micro services in it, runs them, and takes them down in order: readiness off, out of
// the registry, a pause for the news to travel, running calls finished, stopped. It knows no service.
package boot

import (
	"fmt"
	"net"
	"time"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/kit/health"
	"calotype/kit/leader"
	"calotype/kit/live"
	"calotype/kit/logging"
	"calotype/kit/registry"
	"calotype/kit/tracing"
)

// Config is what every process can be told. Services squash it into their own.
type Config struct {
	Log      logging.Config  `koanf:"log"`
	Tracing  tracing.Config  `koanf:"tracing"`
	Registry registry.Config `koanf:"registry"`
	Leader   leader.Config   `koanf:"leader"`
	Live     live.Config     `koanf:"live"`
	RPC      RPCConfig       `koanf:"rpc"`
	Ops      OpsConfig       `koanf:"ops"`
	Health   health.Config   `koanf:"health"`
	Drain    DrainConfig     `koanf:"drain"`
}

// Common is the part of a service's configuration that every process has: what embeds a Config has it too.
func (c Config) Common() Config { return c }

// RPCConfig says where a service's RPC server is, and how it calls others.
type RPCConfig struct {
	Listen     string         `koanf:"listen" doc:"where RPC is served; port 0 takes a free one, which the registry tells"`
	Advertise  string         `koanf:"advertise" doc:"host or host:port that others are told; empty is the listener's, with an address of this machine"`
	MaxMessage config.Size    `koanf:"max_message" doc:"the largest message that is taken; streams are cut into messages of 1MiB"`
	Timeout    time.Duration  `koanf:"timeout" doc:"how long a call to another service may take when its caller set no deadline"`
	Attempts   int            `koanf:"attempts" doc:"how often an idempotent call is tried in all, each time on another node"`
	Shedding   SheddingConfig `koanf:"shedding"`
	TLS        TLSConfig      `koanf:"tls"`
}

// SheddingConfig bounds how many calls and streams a service handles at once; what is beyond is turned away early, bulk before the rest.
type SheddingConfig struct {
	Enabled bool `koanf:"enabled" doc:"turn calls away when there is more to do than can be done"`
	Min     int  `koanf:"min" doc:"how many calls are always handled at once, however long they take"`
	Max     int  `koanf:"max" doc:"how many calls are handled at once at most, however quick they are"`
	Streams int  `koanf:"streams" doc:"how many streams are open at once at most; a tenth is kept for interactive ones, another from bulk ones"`
}

// TLSConfig says how services speak to each other. Files are read again when they change.
type TLSConfig struct {
	Enabled    bool   `koanf:"enabled" doc:"speak TLS between services"`
	CAFile     string `koanf:"ca_file" doc:"PEM file of the authorities that sign the services' certificates; with it callers must show one too"`
	CertFile   string `koanf:"cert_file" doc:"PEM file of this process's certificate"`
	KeyFile    string `koanf:"key_file" doc:"PEM file of its key"`
	ServerName string `koanf:"server_name" doc:"the name that the services' certificates bear; empty is the address a node is dialled at"`
}

// OpsConfig says where the process tells about itself.
type OpsConfig struct {
	Listen  string `koanf:"listen" doc:"where /healthz, /readyz and /metrics are served; empty serves none"`
	Profile bool   `koanf:"profile" doc:"serve /debug/pprof there too"`
}

// DrainConfig says how long leaving may take.
type DrainConfig struct {
	Wait    time.Duration `koanf:"wait" doc:"the pause between leaving the registry and refusing calls, for the news to travel; a memory registry needs none"`
	Timeout time.Duration `koanf:"timeout" doc:"how long running calls and jobs may take to finish"`
}

// DefaultConfig runs on one machine with a memory registry.
func DefaultConfig() Config {
	return Config{
		Log: logging.DefaultConfig(), Tracing: tracing.DefaultConfig(), Registry: registry.DefaultConfig(), Leader: leader.DefaultConfig(), Live: live.DefaultConfig(), Health: health.DefaultConfig(),
		RPC:   RPCConfig{Listen: ":0", MaxMessage: 4 * config.MiB, Timeout: 10 * time.Second, Attempts: 4, Shedding: SheddingConfig{Enabled: true, Min: 64, Max: 1024, Streams: 4096}},
		Ops:   OpsConfig{Listen: "127.0.0.1:0"},
		Drain: DrainConfig{Wait: 3 * time.Second, Timeout: 25 * time.Second},
	}
}

// Validate checks what the parts do not check themselves.
func (c RPCConfig) Validate() []fault.Field {
	fs := listens("listen", c.Listen)
	if c.MaxMessage < 2*config.MiB {
		fs = append(fs, fault.Field{Path: "max_message", Message: fmt.Sprintf("%v is too little: the chunks of a stream take up to 1MiB and their frame", c.MaxMessage)})
	}
	if c.MaxMessage > config.GiB {
		fs = append(fs, fault.Field{Path: "max_message", Message: fmt.Sprintf("%v is more than 1GiB", c.MaxMessage)})
	}
	if c.Timeout <= 0 {
		fs = append(fs, fault.Field{Path: "timeout", Message: fmt.Sprintf("%v is no time", c.Timeout)})
	}
	if c.Attempts < 1 || c.Attempts > 10 {
		fs = append(fs, fault.Field{Path: "attempts", Message: fmt.Sprintf("%d is not within 1..10", c.Attempts)})
	}
	return fs
}

// Validate checks the bounds.
func (c SheddingConfig) Validate() []fault.Field {
	if !c.Enabled {
		return nil
	}
	var fs []fault.Field
	if c.Min < 1 || c.Max < c.Min {
		fs = append(fs, fault.Field{Path: "min", Message: fmt.Sprintf("%d is not within 1..%d, the max", c.Min, c.Max)})
	}
	if c.Streams < 1 {
		fs = append(fs, fault.Field{Path: "streams", Message: fmt.Sprintf("%d is less than one", c.Streams)})
	}
	return fs
}

// Validate checks that what belongs together is there.
func (c TLSConfig) Validate() []fault.Field {
	switch {
	case c.Enabled && (c.CertFile == "" || c.KeyFile == ""):
		return []fault.Field{{Path: "cert_file", Message: "TLS between services needs a certificate and its key"}}
	case !c.Enabled && c != (TLSConfig{}):
		return []fault.Field{{Path: "enabled", Message: "there are files for TLS but it is not enabled"}}
	}
	return nil
}

// Validate checks the address.
func (c OpsConfig) Validate() []fault.Field {
	if c.Listen == "" {
		return nil
	}
	return listens("listen", c.Listen)
}

// Validate checks the times.
func (c DrainConfig) Validate() []fault.Field {
	var fs []fault.Field
	if c.Wait < 0 {
		fs = append(fs, fault.Field{Path: "wait", Message: fmt.Sprintf("%v is less than nothing", c.Wait)})
	}
	if c.Timeout <= 0 {
		fs = append(fs, fault.Field{Path: "timeout", Message: fmt.Sprintf("%v is no time", c.Timeout)})
	}
	return fs
}

func listens(path, addr string) []fault.Field {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return []fault.Field{{Path: path, Message: fmt.Sprintf("%q is not host:port", addr)}}
	}
	return nil
}
