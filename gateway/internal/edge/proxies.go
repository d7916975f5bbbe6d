package edge

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"calotype/kit/fault"
)

// Proxies are the networks whose word on who asked is taken.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks such as 10.0.0.0/8.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, s := range list {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			var addr netip.Addr
			if addr, err = netip.ParseAddr(s); err == nil {
				prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
			}
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "BAD_CONFIG", "%q is no address and no network such as 10.0.0.0/8", s)
		}
		p = append(p, prefix.Masked())
	}
	return p, nil
}

func (p Proxies) trusts(addr netip.Addr) bool {
	for _, n := range p {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// behind puts in a request's RemoteAddr who asked: its peer, or the last one that a trusted proxy names who is none itself. From
// anybody else, what the X-Forwarded headers claim is dropped.
func (p Proxies) behind(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !p.trusts(peer.Addr().Unmap()) {
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip"} {
				delete(r.Header, name)
			}
			next.ServeHTTP(w, r)
			return
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				break // beyond what cannot be read nothing can be believed
			}
			r.RemoteAddr = net.JoinHostPort(addr.Unmap().String(), "0")
			if !p.trusts(addr.Unmap()) {
				break
			}
		}
		next.ServeHTTP(w, r)
	})
}

// scheme is how the client came.
func scheme(r *http.Request) string {
	if s := r.Header.Get("X-Forwarded-Proto"); s == "https" || s == "http" { // only a trusted proxy's is left
		return s
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
