package outward_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const limit = 20 * time.Second

// serveNames is a name server on this machine. Answer gives the addresses of a name the nth time it is asked for, from 0; A and AAAA
// of one time count once.
func serveNames(t *testing.T, answer func(name string, nth int) []string) *net.Resolver {
	t.Helper()
	at, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { at.Close() })
	var mu sync.Mutex
	asked := map[string]int{}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := at.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			name, ok := strings.CutSuffix(q.Name.String(), ".example.")
			reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, Questions: m.Questions}
			if ok {
				mu.Lock()
				key := name + q.Type.String()
				reply.Answers = records(q, answer(name+".example", asked[key]))
				asked[key]++
				mu.Unlock()
			} else {
				reply.RCode = dnsmessage.RCodeNameError
			}
			out, err := reply.Pack()
			if err != nil {
				t.Errorf("a reply cannot be written: %v", err)
				continue
			}
			_, _ = at.WriteTo(out, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", at.LocalAddr().String())
	}}
}

func records(q dnsmessage.Question, addresses []string) (all []dnsmessage.Resource) {
	h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	for _, text := range addresses {
		switch a := netip.MustParseAddr(text); {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			all = append(all, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			all = append(all, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return all
}
