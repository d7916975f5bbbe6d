package registry

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go-micro.dev/v4/registry"

	"calotype/kit/fault"
)

// zone is a DNS server that knows addresses of hosts.
type zone struct {
	mu    sync.Mutex
	hosts map[string][]string
	fails bool
	addr  string
}

func newZone(t *testing.T) *zone {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{hosts: map[string][]string{}, addr: conn.LocalAddr().String()}
	server := &dns.Server{PacketConn: conn, Handler: z}
	ended := make(chan error, 1)
	go func() { ended <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return z
}

func (z *zone) set(host string, addresses ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.hosts[dns.Fqdn(host)] = addresses
}

func (z *zone) fail(fails bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.fails = fails
}

func (z *zone) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg).SetReply(question)
	m.Authoritative = true
	q := question.Question[0]
	addresses, known := z.hosts[q.Name]
	switch {
	case z.fails:
		m.Rcode = dns.RcodeServerFailure
	case !known:
		m.Rcode = dns.RcodeNameError
	}
	for _, a := range addresses {
		header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET}
		ip := net.ParseIP(a)
		switch {
		case z.fails:
		case q.Qtype == dns.TypeA && ip.To4() != nil:
			m.Answer = append(m.Answer, &dns.A{Hdr: header, A: ip})
		case q.Qtype == dns.TypeAAAA && ip.To4() == nil:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: header, AAAA: ip})
		}
	}
	_ = w.WriteMsg(m)
}

func (z *zone) registry(t *testing.T, lines ...string) registry.Registry {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Kind, cfg.Names, cfg.Interval = DNS, lines, 10*time.Millisecond
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.(*names).resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", z.addr)
	}}
	return r
}

func addressesOf(services []*registry.Service) (all []string) {
	for _, s := range services {
		for _, n := range s.Nodes {
			all = append(all, s.Name+" "+n.Address+" "+n.Metadata["protocol"])
		}
	}
	return all
}

func TestNodesAreTheAddressesOfAHost(t *testing.T) {
	z := newZone(t)
	r := z.registry(t, "storage=storage.ns.svc.:9000", "gateway=http://gateway.ns.svc.:8080", "greeter=greeter.ns.svc.:9000")
	z.set("storage.ns.svc", "10.1.0.7", "10.1.0.2", "fd00::1")
	z.set("gateway.ns.svc", "10.1.0.3")
	z.set("greeter.ns.svc") // a Service without a ready Pod
	got, err := r.GetService("storage")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"storage 10.1.0.2:9000 grpc", "storage 10.1.0.7:9000 grpc", "storage [fd00::1]:9000 grpc"}
	if all := addressesOf(got); !slices.Equal(all, want) {
		t.Errorf("found %q, want %q", all, want)
	}
	if err := r.Register(&registry.Service{Name: "storage", Nodes: []*registry.Node{{Id: "x", Address: "1.2.3.4:5"}}}); err != nil {
		t.Error(err)
	}
	all, err := r.ListServices()
	if list := addressesOf(all); err != nil || !slices.Equal(list, append([]string{"gateway 10.1.0.3:8080 http"}, want...)) {
		t.Errorf("listed %q, %v", list, err)
	}
	for _, name := range []string{"greeter", "nobody"} {
		if _, err := r.GetService(name); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: %v, want that there is none", name, err)
		}
	}
	z.fail(true)
	if _, err := r.GetService("storage"); err == nil || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a server that fails gave %v: that is not the news that nobody is there", err)
	}
}

func TestNamesAreWatched(t *testing.T) {
	z := newZone(t)
	z.set("storage.", "10.1.0.2")
	w, err := z.registry(t, "storage=storage.:9000", "other=other.:1").Watch(registry.WatchService("storage"))
	if err != nil {
		t.Fatal(err)
	}
	next := func(want ...string) {
		t.Helper()
		r, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := addressesOf([]*registry.Service{r.Service}); !slices.Equal(got, want) {
			t.Errorf("told of %q, want %q", got, want)
		}
	}
	next("storage 10.1.0.2:9000 grpc")
	z.fail(true) // nobody is told of an outage: the next thing told is what came after it
	z.set("storage.", "10.1.0.2", "10.1.0.3")
	z.fail(false)
	next("storage 10.1.0.2:9000 grpc", "storage 10.1.0.3:9000 grpc")
	z.set("storage.")
	next()
	w.Stop()
	if _, err := w.Next(); !errors.Is(err, registry.ErrWatcherStopped) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestNamesThatAreWrong(t *testing.T) {
	for _, line := range []string{"", "storage", "storage=host", "=host:1", "storage=:1", "storage=host:", "storage=://host:1"} {
		cfg := DefaultConfig()
		cfg.Kind, cfg.Names = DNS, []string{"a=b:1", line}
		if fs := cfg.Validate(); len(fs) != 1 || fs[0].Path != "names[1]" {
			t.Errorf("%q: %v", line, fs)
		}
	}
	cfg := DefaultConfig()
	cfg.Kind = DNS
	if _, err := New(cfg); fault.ReasonOf(err) != "BAD_CONFIG" {
		t.Errorf("without names: %v", err)
	}
}
