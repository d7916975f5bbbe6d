// Package outward makes HTTP requests to addresses that strangers name: it reaches what is public and what the configuration allows,
// and nothing else, however a name resolves and wherever a redirect leads. It knows nothing of what is sent.
package outward

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"calotype/kit/fault"
)

// Config says what a client may reach.
type Config struct {
	Allow     []netip.Prefix // networks that are reached although they are not public
	HTTPSOnly bool
	Redirects int           // how many are followed, each checked as the first address is; with 0 the redirect itself is the answer
	Idle      int           // connections that are kept for a host; 0 means 2
	Resolver  *net.Resolver // nil means the system's
	TLS       *tls.Config   // nil means the system's roots
}

// NotAllowed is the reason of the fault.Denied that an address is answered with which may not be reached.
const NotAllowed = "ADDRESS_NOT_ALLOWED"

// Client sends requests. It may be used concurrently, and keeps connections.
type Client struct {
	cfg  Config
	http http.Client
}

// New makes a client. No proxy stands between it and the world, whatever the environment says: a proxy would resolve names again,
// and reach what may not be reached.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Resolver: cfg.Resolver, ControlContext: c.control}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConns: 512, MaxIdleConnsPerHost: cfg.Idle, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second,
		ExpectContinueTimeout: time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	c.http = http.Client{Transport: checked{c, transport}, CheckRedirect: c.redirect}
	return c
}

// Do sends a request. Errors: fault.Denied with reason NotAllowed, else what net/http gives.
func (c *Client) Do(r *http.Request) (*http.Response, error) { return c.http.Do(r) }

// Close lets go of the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Allowed reports whether an address may be reached.
func (c *Client) Allowed(ip netip.Addr) bool { return within(c.cfg.Allow, ip.Unmap()) || Public(ip) }

// control is asked with the very address that is about to be connected to: no name can lead elsewhere after it.
func (c *Client) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") || !c.Allowed(at.Addr()) {
		return fault.Wrap(fmt.Errorf("%s %s", network, address), fault.Denied, NotAllowed, "the host is at an address that is private or reserved")
	}
	return nil
}

func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	switch {
	case c.cfg.Redirects == 0:
		return http.ErrUseLastResponse
	case len(via) > c.cfg.Redirects:
		return fault.New(fault.Denied, "TOO_MANY_REDIRECTS", "it redirects more than %d times", c.cfg.Redirects)
	}
	r.Header.Del("Referer") // one receiver's URL is no other's business
	return nil
}

// checked looks at the URL of every request, those of redirects too.
type checked struct {
	client    *Client
	transport *http.Transport
}

func (t checked) RoundTrip(r *http.Request) (*http.Response, error) {
	if wrong := t.client.checkURL(r.URL); wrong != "" {
		if r.Body != nil {
			_ = r.Body.Close() // as http.RoundTripper promises
		}
		return nil, fault.New(fault.Denied, NotAllowed, "its URL %s", wrong)
	}
	return t.transport.RoundTrip(r)
}

// CloseIdleConnections is what http.Client looks for.
func (t checked) CloseIdleConnections() { t.transport.CloseIdleConnections() }
