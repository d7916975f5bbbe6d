package nginx

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"calotype/kit/config"
)

// Settings are what a template is filled in from. Texts go into it as they are: whoever makes Settings has checked them.
type Settings struct {
	Dir      string // its own: sockets, temporary files, the configuration
	LogLevel string
	Workers  string // a number, or auto
	Drain    time.Duration

	HTTP, GRPC, TLS string // where it listens, host:port; "" for not at all
	Cert, Key       string
	HSTS            int // seconds; 0 for none
	Trusted         []string
	AccessLog       string

	Upload, JSON    config.Size
	Header          config.Size
	Repeat          Repeat
	Rate, Burst     int // requests a second of one client; 0 is no limit
	ConnectionsEach int
	Connections     int

	Timeouts Timeouts

	Cache         config.Size // 0: none
	CacheDir      string
	CacheInactive time.Duration

	BeginTraces bool
	TraceShare  float64

	Slots int // how many sockets the upstream has
}

// Timeouts are nginx's.
type Timeouts struct{ Header, Stall, Idle, Answer, Stream time.Duration }

// HTTPSocket and GRPCSocket are where the upstream's slots are listened on, Control where this process answers for nginx, Status
// where nginx tells about itself.
func (s Settings) HTTPSocket(slot int) string {
	return filepath.Join(s.Dir, "http-"+strconv.Itoa(slot)+".sock")
}

// GRPCSocket is the same for HTTP/2.
func (s Settings) GRPCSocket(slot int) string {
	return filepath.Join(s.Dir, "grpc-"+strconv.Itoa(slot)+".sock")
}

// Spare is a slot that is led to when every other one was tried: nginx may hold connections to a node that has just died under each of them.
func (s Settings) Spare() string { return filepath.Join(s.Dir, "http-spare.sock") }

// Control is where this process answers nginx.
func (s Settings) Control() string { return filepath.Join(s.Dir, "control.sock") }

// Status is where nginx tells about itself.
func (s Settings) Status() string { return filepath.Join(s.Dir, "status.sock") }

// Kept is where nginx takes from itself what may be sent again.
func (s Settings) Kept() string { return filepath.Join(s.Dir, "kept.sock") }

// view is what the template sees.
type view struct {
	Dir, LogLevel, Workers, Drain             string
	User                                      string // that workers run as, where it is not this process's anyway
	Files, Connections                        int
	Trusted                                   []string
	AccessLog                                 string
	BeginTraces                               bool
	TraceShare                                float64
	TracePercent                              string
	HSTS                                      int
	Rate, Burst, ConnectionsEach              int
	HeaderSize, Upload, JSON                  string
	Repeat                                    []kept
	RepeatBuffer                              string
	Timeouts                                  struct{ Header, Stall, Idle, Answer, Stream string }
	HTTPSockets, GRPCSockets                  []string
	Cache, CacheKeys, CacheDir, CacheInactive string
	Cert, Key, Control, Status, Kept, Spare   string
	Servers                                   []server
	Problems                                  []problem
	Statuses                                  []status
}

type server struct {
	Listen          []string
	HTTP2           bool // by a directive of its own
	TLS, REST, GRPC bool
}

// split is the release since which "http2 on" stands in a server of its own; before, it was a word of listen's, and a server without
// TLS spoke either HTTP/1 or HTTP/2.
var split = Version{1, 25, 1}

func (s Settings) view(v Version, files int) view {
	w := view{
		Dir: s.Dir, LogLevel: s.LogLevel, Workers: s.Workers, Drain: seconds(s.Drain), Connections: s.Connections, Files: files, Trusted: s.Trusted,
		AccessLog: s.AccessLog, BeginTraces: s.BeginTraces, TraceShare: s.TraceShare, TracePercent: strconv.FormatFloat(s.TraceShare*100, 'f', 2, 64),
		HSTS: s.HSTS, Rate: s.Rate, Burst: s.Burst, ConnectionsEach: s.ConnectionsEach, HeaderSize: size(s.Header), Upload: size(s.Upload),
		JSON: size(s.JSON), Repeat: s.Repeat.kinds(), RepeatBuffer: size(s.Repeat.Size / small),
		CacheDir: s.CacheDir, CacheInactive: strconv.FormatInt(int64(s.CacheInactive.Seconds()), 10) + "s", Cert: s.Cert, Key: s.Key, Control: s.Control(), Status: s.Status(), Kept: s.Kept(), Spare: s.Spare(),
		Problems: problems, Statuses: statuses,
	}
	if os.Geteuid() == 0 {
		w.User = "root" // the sockets are this process's
	}
	t := s.Timeouts
	w.Timeouts.Header, w.Timeouts.Stall, w.Timeouts.Idle, w.Timeouts.Answer, w.Timeouts.Stream =
		seconds(t.Header), seconds(t.Stall), seconds(t.Idle), seconds(t.Answer), seconds(t.Stream)
	if s.Cache > 0 {
		w.Cache = size(s.Cache)
		w.CacheKeys = size(max(config.MiB, s.Cache/2048)) // some 8000 results a MiB, of 256 KiB each
	}
	for i := range s.Slots {
		w.HTTPSockets, w.GRPCSockets = append(w.HTTPSockets, s.HTTPSocket(i)), append(w.GRPCSockets, s.GRPCSocket(i))
	}
	now := v.AtLeast(split)
	for _, one := range []struct {
		address string
		server
	}{
		{s.HTTP, server{REST: true, GRPC: now, HTTP2: now}},
		{s.GRPC, server{GRPC: true, HTTP2: now}},
		{s.TLS, server{REST: true, GRPC: true, TLS: true, HTTP2: now}},
	} {
		if one.address == "" || one.TLS && s.Cert == "" {
			continue
		}
		for _, a := range listens(one.address) {
			if one.TLS {
				a += " ssl"
			}
			if !now && one.GRPC {
				a += " http2"
			}
			one.Listen = append(one.Listen, a)
		}
		w.Servers = append(w.Servers, one.server)
	}
	return w
}

// listens writes Go's host:port as nginx has it; no host means all addresses of either family that this machine has.
func listens(address string) []string {
	host, port, _ := net.SplitHostPort(address)
	if host != "" {
		return []string{net.JoinHostPort(host, port)}
	}
	all := []string{port}
	if l, err := net.Listen("tcp6", "[::]:0"); err == nil {
		l.Close()
		all = append(all, "[::]:"+port)
	}
	return all
}

func seconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

func size(s config.Size) string { return strconv.FormatInt((int64(s)+1023)/1024, 10) + "k" }

// Version is nginx's.
type Version [3]int

// ParseVersion reads what nginx -v says.
func ParseVersion(text string) (v Version, err error) {
	_, rest, found := strings.Cut(text, "nginx/")
	if !found {
		return v, fmt.Errorf("%q tells no version", strings.TrimSpace(text))
	}
	if _, err := fmt.Sscanf(rest, "%d.%d.%d", &v[0], &v[1], &v[2]); err != nil {
		return v, fmt.Errorf("%q tells no version: %w", strings.TrimSpace(text), err)
	}
	return v, nil
}

// AtLeast compares.
func (v Version) AtLeast(w Version) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] > w[i]
		}
	}
	return true
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }
