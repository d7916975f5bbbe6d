// Package edge joins nginx to the gateways that the registry knows: the settings, the relay that nginx's upstream leads to, nginx itself,
// and what the process tells of them.
package edge

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"calotype/cmd/edge/internal/nginx"
	"calotype/kit/boot"
	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config is what the edge can be told. Of what every process has, rpc and leader mean nothing here; tracing says which traces begin
// here are kept.
type Config struct {
	boot.Config `koanf:",squash"`
	Edge        Settings `koanf:"edge"`
}

// Settings are the edge's own.
type Settings struct {
	Nginx    string        `koanf:"nginx" doc:"the program"`
	Template string        `koanf:"template" doc:"the template of nginx's configuration"`
	Dir      string        `koanf:"dir" doc:"a folder that need not outlive the process: sockets, temporary files, the configuration as filled in"`
	State    string        `koanf:"state" doc:"a file that keeps the last list of gateways, for a start without the registry; empty keeps none"`
	Workers  string        `koanf:"workers" doc:"how many processes nginx has: a number, or auto for one a core"`
	Conns    int           `koanf:"connections" doc:"how many connections each of them may have, those to gateways included"`
	HTTP     string        `koanf:"http" doc:"where REST is served in clear text; with nginx 1.25.1 or newer gRPC too"`
	GRPC     string        `koanf:"grpc" doc:"where gRPC is served in clear text; empty serves none"`
	TLS      TLSConfig     `koanf:"tls"`
	Trusted  []string      `koanf:"trusted" doc:"networks such as 10.0.0.0/8 whose X-Forwarded-For is believed: of load balancers before this one"`
	Access   string        `koanf:"access_log" doc:"where the access log goes, a file or a device"`
	Limits   LimitsConfig  `koanf:"limits"`
	Repeat   RepeatConfig  `koanf:"repeat"`
	Timeouts TimeoutConfig `koanf:"timeouts"`
	Cache    CacheConfig   `koanf:"cache"`
	Gateways GatewayConfig `koanf:"gateways"`
}

// TLSConfig says whether TLS is served.
type TLSConfig struct {
	Listen   string        `koanf:"listen" doc:"where REST and gRPC are served over TLS, when there is a certificate"`
	CertFile string        `koanf:"cert_file" doc:"PEM file of the certificate and its chain; it is read again when it changes"`
	KeyFile  string        `koanf:"key_file" doc:"PEM file of its key"`
	HSTS     time.Duration `koanf:"hsts" doc:"for how long browsers are told to come by TLS only; 0 tells them nothing"`
}

// LimitsConfig bounds what one client may bring.
type LimitsConfig struct {
	Upload      config.Size `koanf:"upload" doc:"the largest body; somewhat more than the gateways' limits.upload, for a form's own bytes"`
	JSON        config.Size `koanf:"json" doc:"the largest body of what is no upload; more than the gateways' limits.json"`
	Header      config.Size `koanf:"header" doc:"the longest header line, and address"`
	Rate        int         `koanf:"rate" doc:"requests a second that one client address may make; 0 is no limit"`
	Burst       int         `koanf:"burst" doc:"how many it may make beyond that at once"`
	Connections int         `koanf:"connections" doc:"connections (with HTTP/2, requests) that one client address may have at once; 0 is no limit"`
}

// RepeatConfig says which uploads, jobs and batches under an Idempotency-Key are kept, so that another gateway can be given them.
type RepeatConfig struct {
	Size config.Size `koanf:"size" doc:"the largest body of an upload, job or batch with an Idempotency-Key that is kept until it is answered, and sent to another gateway when one dies; 0 keeps none"`
	Room config.Size `koanf:"room" doc:"how much those that are kept at once may take: half of it in memory, for those of up to an eighth of size, and half in dir, for the others; what would be more passes through and is not repeated"`
}

// TimeoutConfig bounds how long things may take.
type TimeoutConfig struct {
	Header time.Duration `koanf:"header" doc:"how long a request's headers may take to come"`
	Stall  time.Duration `koanf:"stall" doc:"how long a client or a gateway may take no byte, and a client send none"`
	Idle   time.Duration `koanf:"idle" doc:"how long a client's connection is kept between requests"`
	Answer time.Duration `koanf:"answer" doc:"how long a gateway may send nothing; more than its own timeouts"`
	Stream time.Duration `koanf:"stream" doc:"the same for event streams and gRPC"`
}

// CacheConfig says how much is cached.
type CacheConfig struct {
	Size     config.Size   `koanf:"size" doc:"how much of the disk the cache of pictures may take; 0 caches nothing"`
	Dir      string        `koanf:"dir" doc:"its folder"`
	Inactive time.Duration `koanf:"inactive" doc:"how long what nobody asks for stays"`
}

// GatewayConfig says how gateways are reached and judged.
type GatewayConfig struct {
	Connect time.Duration `koanf:"connect" doc:"how long a gateway may take to accept a connection; then the next one is asked"`
	Probe   time.Duration `koanf:"probe" doc:"how often a gateway is asked whether it lives, and how long it may take to answer"`
	Silence time.Duration `koanf:"silence" doc:"after how long without any byte the connections to a gateway that does not answer are cut"`
}

// slots is how many sockets nginx's upstream has. Of four no three lead to the same one of two gateways, so that three tries always
// reach another; and any number of gateways gets equal shares, by turns where it does not divide four.
const slots = 4

// DefaultConfig suits the image.
func DefaultConfig() Config {
	c := Config{Config: boot.DefaultConfig(), Edge: Settings{
		Nginx: "nginx", Template: "/etc/calotype/nginx.conf.tmpl", Dir: "/tmp/edge", State: "/var/cache/calotype/gateways.json",
		Workers: "auto", Conns: 4096, HTTP: ":8080", GRPC: ":8081", Access: "/dev/stdout",
		TLS:      TLSConfig{Listen: ":8443"},
		Limits:   LimitsConfig{Upload: 101 * config.MiB, JSON: 8 * config.MiB, Header: 16 * config.KiB, Burst: 200},
		Repeat:   RepeatConfig{Size: 8 * config.MiB, Room: 96 * config.MiB},
		Timeouts: TimeoutConfig{Header: 10 * time.Second, Stall: time.Minute, Idle: 75 * time.Second, Answer: 75 * time.Second, Stream: time.Hour},
		Cache:    CacheConfig{Size: config.GiB, Dir: "/var/cache/calotype/pictures", Inactive: 7 * 24 * time.Hour},
		Gateways: GatewayConfig{Connect: 500 * time.Millisecond, Probe: time.Second, Silence: 4 * time.Second},
	}}
	c.Health.Interval = time.Second
	c.Drain.Wait = 0 // there is nobody to tell: nginx is where clients come
	return c
}

// Validate checks everything that ends up in nginx's configuration.
func (s Settings) Validate() []fault.Field {
	var fs []fault.Field
	bad := func(path, format string, args ...any) {
		fs = append(fs, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	listens := map[string]string{"http": s.HTTP, "grpc": s.GRPC, "tls.listen": s.TLS.Listen}
	for path, a := range listens {
		host, port, err := net.SplitHostPort(a)
		if n, _ := strconv.Atoi(port); a != "" && (err != nil || n < 1 || n > 65535 || host != "" && net.ParseIP(host) == nil) {
			bad(path, "%q is not an address and a port", a)
		}
	}
	if s.HTTP == "" {
		bad("http", "is empty")
	}
	for path, p := range map[string]string{"template": s.Template, "dir": s.Dir, "state": s.State, "cache.dir": s.Cache.Dir, "tls.cert_file": s.TLS.CertFile,
		"tls.key_file": s.TLS.KeyFile, "access_log": s.Access} {
		if p != "" && (!filepath.IsAbs(p) || strings.ContainsAny(p, " \t\r\n;{}$'\"\\#")) {
			bad(path, "%q is not an absolute path of plain characters", p)
		}
	}
	if s.Dir == "" || len(s.Dir) > 80 {
		bad("dir", "must be a path of at most 80 bytes, for the sockets in it")
	}
	if (s.TLS.CertFile == "") != (s.TLS.KeyFile == "") {
		bad("tls.cert_file", "a certificate and its key belong together")
	}
	for i, t := range s.Trusted {
		if _, err := netip.ParsePrefix(t); err != nil {
			bad(fmt.Sprintf("trusted[%d]", i), "%q is not a network such as 10.0.0.0/8", t)
		}
	}
	if n, err := strconv.Atoi(s.Workers); s.Workers != "auto" && (err != nil || n < 1) {
		bad("workers", "%q is neither auto nor a number", s.Workers)
	}
	if s.Conns < 64 {
		bad("connections", "%d are not enough", s.Conns)
	}
	if s.Limits.Rate < 0 || s.Limits.Burst < 0 || s.Limits.Connections < 0 {
		bad("limits", "nothing in it may be less than 0")
	}
	if s.Limits.Header < config.KiB || s.Limits.Upload < config.KiB || s.Limits.JSON < config.KiB {
		bad("limits", "headers, uploads and JSON need 1KiB at least")
	}
	if s.Repeat.Size != 0 && (s.Repeat.Size < 64*config.KiB || s.Repeat.Room < 2*s.Repeat.Size) {
		bad("repeat", "a size is 0, or 64KiB at least, and the room twice as much at least")
	}
	times := map[string]time.Duration{"timeouts.header": s.Timeouts.Header, "timeouts.stall": s.Timeouts.Stall, "timeouts.idle": s.Timeouts.Idle,
		"timeouts.answer": s.Timeouts.Answer, "timeouts.stream": s.Timeouts.Stream, "cache.inactive": s.Cache.Inactive / 1000,
		"gateways.connect": s.Gateways.Connect, "gateways.probe": s.Gateways.Probe, "gateways.silence": s.Gateways.Silence}
	for path, d := range times {
		if d < time.Millisecond {
			bad(path, "%v is no time", d)
		}
	}
	slices.SortFunc(fs, func(a, b fault.Field) int { return strings.Compare(a.Path, b.Path) })
	return fs
}

// settings is what nginx's template gets.
func (c Config) settings() nginx.Settings {
	e := c.Edge
	s := nginx.Settings{
		Dir: e.Dir, LogLevel: "warn", Workers: e.Workers, Drain: c.Drain.Timeout, HTTP: e.HTTP, GRPC: e.GRPC, TLS: e.TLS.Listen,
		Cert: e.TLS.CertFile, Key: e.TLS.KeyFile, HSTS: int(e.TLS.HSTS.Seconds()), Trusted: e.Trusted, AccessLog: e.Access,
		Upload: e.Limits.Upload, JSON: e.Limits.JSON, Repeat: nginx.Repeat(e.Repeat), Header: e.Limits.Header, Rate: e.Limits.Rate, Burst: e.Limits.Burst, ConnectionsEach: e.Limits.Connections,
		Connections: e.Conns, Cache: e.Cache.Size, CacheDir: e.Cache.Dir, CacheInactive: e.Cache.Inactive, Slots: slots,
		Timeouts: nginx.Timeouts(e.Timeouts),
	}
	// Where the tracers decide otherwise than by a share, it is left to the gateway to begin traces.
	switch c.Tracing.Sampler {
	case "all":
		s.BeginTraces, s.TraceShare = true, 1
	case "none":
		s.BeginTraces = true
	case "probabilistic":
		s.BeginTraces, s.TraceShare = true, c.Tracing.Param
	}
	return s
}
