package edge

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, forwarded, proto, client, scheme string }{
		{"10.1.2.3:99", "203.0.113.5", "https", "203.0.113.5", "https"},
		{"[::ffff:10.1.2.3]:99", "203.0.113.5", "https", "203.0.113.5", "https"},
		{"10.1.2.3:99", "1.1.1.1, 203.0.113.5, 192.0.2.7", "http", "203.0.113.5", "http"}, // what a client made up stands before what it is
		{"10.1.2.3:99", "1.1.1.1, junk, 10.9.9.9", "ftp", "10.9.9.9", "http"},
		{"10.1.2.3:99", "", "", "10.1.2.3:99", "http"},
		{"[fd00::1]:99", "2001:db8::1", "https", "2001:db8::1", "https"},
		{"203.0.113.9:99", "1.1.1.1", "https", "203.0.113.9:99", "http"},
		{"192.0.2.8:99", "1.1.1.1", "https", "192.0.2.8:99", "http"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		r.Header.Set("X-Forwarded-Proto", c.proto)
		proxies.behind(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := client(r); got != c.client || scheme(r) != c.scheme {
				t.Errorf("%+v: %s by %s", c, got, scheme(r))
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, bad := range []string{"10.0.0.0/33", "proxy", ""} {
		if _, err := ParseProxies([]string{bad}); err == nil {
			t.Errorf("%q is taken for a network", bad)
		}
	}
}
