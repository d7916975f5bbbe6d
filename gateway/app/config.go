package app

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"calotype/gateway/internal/edge"
	"calotype/gateway/internal/onthefly"
	"calotype/gateway/internal/results"
	"calotype/kit/boot"
	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config is what the gateway can be told.
type Config struct {
	boot.Config `koanf:",squash"`
	HTTP        HTTPConfig    `koanf:"http"`
	Limits      LimitsConfig  `koanf:"limits"`
	Timeouts    TimeoutConfig `koanf:"timeouts"`
	Signing     SigningConfig `koanf:"signing"`
	GRPC        GRPCConfig    `koanf:"grpc"`
	Compat      CompatConfig  `koanf:"compat"`
	Results     ResultsConfig `koanf:"results"`
}

// ResultsConfig bounds what the gateway keeps of pictures on the fly.
type ResultsConfig = results.Config

// HTTPConfig says where the gateway is and whom it lets in.
type HTTPConfig struct {
	Listen         string   `koanf:"listen" doc:"where REST and the console are served"`
	Advertise      string   `koanf:"advertise" doc:"host or host:port that the registry tells; empty is the listener's, with an address of this machine"`
	Origins        []string `koanf:"origins" doc:"web origins, such as https://example.com, whose pages may call; \"*\" means any"`
	ForwardHeaders []string `koanf:"forward_headers" doc:"client headers that reach the services as RPC metadata, and metadata that gRPC calls are answered with; no other does"`
	TrustedProxies []string `koanf:"trusted_proxies" doc:"networks, such as 10.0.0.0/8, of the proxies that are believed in X-Forwarded-For and X-Forwarded-Proto"`
}

// GRPCConfig says which gRPC calls are passed on.
type GRPCConfig struct {
	Services   []string    `koanf:"services" doc:"which registered gRPC services strangers may call, as package.Service or package.Service/Method; \"*\" is any text, \"!\" forbids, the last that fits counts"`
	MaxMessage config.Size `koanf:"max_message" doc:"the largest gRPC message that is taken"`
	MaxCalls   int         `koanf:"max_calls" doc:"how many gRPC calls may run at once, streams included; more are told to come again"`
}

// LimitsConfig bounds what one request may bring.
type LimitsConfig struct {
	Upload config.Size `koanf:"upload" live:"true" doc:"the largest original that is taken"`
	JSON   config.Size `koanf:"json" live:"true" doc:"the largest JSON body"`
	URL    config.Size `koanf:"url" doc:"the longest address"`
	Header config.Size `koanf:"header" doc:"the most that a request's headers may come to"`
}

// TimeoutConfig bounds how long things may take.
type TimeoutConfig struct {
	Header    time.Duration `koanf:"header" doc:"how long a request's headers may take to come"`
	Idle      time.Duration `koanf:"idle" doc:"how long a connection is kept between requests"`
	Request   time.Duration `koanf:"request" doc:"how long a request may take that streams nothing"`
	Transform time.Duration `koanf:"transform" doc:"how long a variant on the fly may take to be made"`
	Upload    time.Duration `koanf:"upload" doc:"how long an upload may take"`
	Stall     time.Duration `koanf:"stall" doc:"how long a client may send or take no byte"`
	Heartbeat time.Duration `koanf:"heartbeat" doc:"how often a silent event stream says that it lives"`
}

// SigningConfig says whether variants on the fly need a signature.
type SigningConfig struct {
	Keys     config.Secret `koanf:"keys" doc:"keys that sign addresses under /i/, parted by commas: the first signs, all verify; empty needs no signatures"`
	Unsigned string        `koanf:"unsigned" doc:"which addresses need none although keys are set: none, presets (those of t_ steps alone) or all"`
}

// DefaultConfig serves on this machine's own port 8080.
func DefaultConfig() Config {
	return Config{
		Config: boot.DefaultConfig(),
		HTTP:   HTTPConfig{Listen: "127.0.0.1:8080"},
		Limits: LimitsConfig{Upload: 100 * config.MiB, JSON: config.MiB, URL: 8 * config.KiB, Header: 32 * config.KiB},
		Timeouts: TimeoutConfig{Header: 10 * time.Second, Idle: 2 * time.Minute, Request: 30 * time.Second, Transform: 30 * time.Second,
			Upload: 30 * time.Minute, Stall: time.Minute, Heartbeat: 15 * time.Second},
		Signing: SigningConfig{Unsigned: string(onthefly.NoneUnsigned)},
		// Originals are deleted by way of their images, never behind the manager's back.
		Compat:  CompatConfig{Imgproxy: ImgproxyConfig{Prefix: "/imgproxy/", Opacity: 1}, Thumbor: ThumborConfig{Prefix: "/thumbor/"}},
		GRPC:    GRPCConfig{Services: []string{"*", "!storage.v1.Storage/Delete"}, MaxMessage: 4 * config.MiB, MaxCalls: 4096},
		Results: results.DefaultConfig(),
	}
}

// Validate checks addresses and origins.
func (c HTTPConfig) Validate() []fault.Field {
	var fs []fault.Field
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		fs = append(fs, fault.Field{Path: "listen", Message: fmt.Sprintf("%q is not host:port", c.Listen)})
	}
	for i, o := range c.Origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || o != u.Scheme+"://"+u.Host) {
			fs = append(fs, fault.Field{Path: fmt.Sprintf("origins[%d]", i), Message: fmt.Sprintf("%q is not an origin such as https://example.com", o)})
		}
	}
	if _, err := edge.ParseProxies(c.TrustedProxies); err != nil {
		fs = append(fs, fault.Field{Path: "trusted_proxies", Message: fault.As(err).Message})
	}
	return fs
}

// Validate checks that there is room for something.
func (c GRPCConfig) Validate() []fault.Field {
	var fs []fault.Field
	for i, rule := range c.Services {
		if strings.Trim(rule, "!") == "" || strings.Count(rule, "/") > 1 || strings.HasPrefix(rule, "/") {
			fs = append(fs, fault.Field{Path: fmt.Sprintf("services[%d]", i), Message: fmt.Sprintf("%q is not package.Service or package.Service/Method", rule)})
		}
	}
	if c.MaxMessage < 1024 || c.MaxMessage > 64*config.MiB {
		fs = append(fs, fault.Field{Path: "max_message", Message: fmt.Sprintf("%v is not between 1KiB and 64MiB", c.MaxMessage)})
	}
	if c.MaxCalls <= 0 {
		fs = append(fs, fault.Field{Path: "max_calls", Message: "no call could run"})
	}
	return fs
}

// Validate checks that every limit leaves room for something.
func (c LimitsConfig) Validate() []fault.Field {
	var fs []fault.Field
	for path, size := range map[string]config.Size{"upload": c.Upload, "json": c.JSON, "url": c.URL, "header": c.Header} {
		if size < 1024 {
			fs = append(fs, fault.Field{Path: path, Message: fmt.Sprintf("%v is less than 1KiB", size)})
		}
	}
	return fs
}

// Validate checks that every time is one.
func (c TimeoutConfig) Validate() []fault.Field {
	var fs []fault.Field
	for path, d := range map[string]time.Duration{"header": c.Header, "idle": c.Idle, "request": c.Request, "transform": c.Transform,
		"upload": c.Upload, "stall": c.Stall, "heartbeat": c.Heartbeat} {
		if d <= 0 {
			fs = append(fs, fault.Field{Path: path, Message: fmt.Sprintf("%v is no time", d)})
		}
	}
	return fs
}

// Validate checks that no key is easily guessed.
func (c SigningConfig) Validate() []fault.Field {
	for i, key := range c.keys() {
		if len(key) < 16 {
			return []fault.Field{{Path: "keys", Message: fmt.Sprintf("key %d has %d bytes; 16 are the least", i+1, len(key))}}
		}
	}
	if !slices.Contains(onthefly.Policies(), onthefly.Unsigned(c.Unsigned)) {
		return []fault.Field{{Path: "unsigned", Message: fmt.Sprintf("%.40q is not none, presets or all", c.Unsigned)}}
	}
	return nil
}

func (c SigningConfig) keys() onthefly.Keys {
	var keys onthefly.Keys
	for _, key := range strings.Split(c.Keys.Reveal(), ",") {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, []byte(key))
		}
	}
	return keys
}
