package outward_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"calotype/kit/fault"
	"calotype/kit/outward"
)

func TestPublic(t *testing.T) {
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
		"203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::808:808",
		"64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
		"fec0::1", "ff02::1", "5f00::1", "4000::1",
	} {
		if outward.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is called public", a)
		}
	}
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1", "198.20.0.1",
		"223.255.255.255", "168.63.129.17", "::ffff:8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2003::1"} {
		if !outward.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is not called public", a)
		}
	}
	if outward.Public(netip.Addr{}) {
		t.Error("no address is called public")
	}
}

func TestCheckURL(t *testing.T) {
	plain := outward.New(outward.Config{})
	for url, want := range map[string]string{
		"https://example.com/hook?a=b#c":                  "",
		"http://example.com":                              "",
		"http://example.com:8080/":                        "",
		"https://bücher.example/":                         "",
		"https://8.8.8.8/":                                "",
		"https://[2606:4700:4700::1111]:8443/":            "",
		"https://[::ffff:8.8.8.8]/":                       "",
		"HTTPS://EXAMPLE.COM":                             "",
		"":                                                "http or https",
		"example.com/hook":                                "http or https",
		"ftp://example.com":                               "http or https",
		"file:///etc/passwd":                              "http or https",
		"javascript:alert(1)":                             "http or https",
		"gopher://127.0.0.1:6379/":                        "http or https",
		"http:example.com":                                "no host",
		"http://":                                         "no host",
		"http:///path":                                    "no host",
		"http://:80/":                                     "no host",
		"http://./":                                       "no host",
		"http://example.com:0/":                           "port",
		"http://example.com:65536/":                       "port",
		"http://example.com:/":                            "port",
		"http://example.com:http/":                        "not a URL",
		"http://exa mple.com/":                            "not a URL",
		"http://example.com/\n":                           "not a URL",
		"https://user@example.com/":                       "user name",
		"https://user:secret@example.com/":                "user name",
		"http://example.com@10.0.0.1/":                    "user name",
		"http://127.0.0.1/":                               "private",
		"http://127.0.0.1./":                              "private",
		"http://10.1.2.3:9200/":                           "private",
		"http://169.254.169.254/latest/meta-data/":        "private",
		"http://[::1]/":                                   "private",
		"http://[::ffff:127.0.0.1]/":                      "private",
		"http://[::ffff:7f00:1]/":                         "private",
		"http://[64:ff9b::7f00:1]/":                       "private",
		"http://[fe80::1%25eth0]/":                        "private",
		"http://localhost:8080/":                          "private",
		"http://LOCALHOST./":                              "private",
		"http://a.localhost/":                             "private",
		"http://2130706433/":                              "neither",
		"http://127.1/":                                   "neither",
		"http://0x7f000001/":                              "neither",
		"http://0X7F.1/":                                  "neither",
		"http://0177.0.0.01/":                             "neither",
		"http://1.2.3.256/":                               "neither",
		"http://a.b.0x7f/":                                "neither",
		"http://example.com/" + strings.Repeat("x", 2048): "2048",
	} {
		if got := plain.CheckURL(url); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%.60q: %q, want %q", url, got, want)
		}
	}
	strict := outward.New(outward.Config{HTTPSOnly: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	for url, want := range map[string]string{
		"http://example.com": "https", "ftp://example.com": "https", "https://127.0.0.1": "", "https://localhost": "", "https://[fd12::1]": "", "https://10.0.0.1": "private",
	} {
		if got := strict.CheckURL(url); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
	}
}

// here is a server on 127.0.0.1 that counts who came, and its port.
func here(t *testing.T, h http.HandlerFunc) (port string, came *atomic.Int32) {
	t.Helper()
	came = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL[strings.LastIndexByte(s.URL, ':')+1:], came
}

func ok(http.ResponseWriter, *http.Request) {}

func get(t *testing.T, c *outward.Client, url string) (int, error) {
	t.Helper()
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	rsp.Body.Close()
	return rsp.StatusCode, nil
}

func wantDenied(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !fault.Is(err, fault.Denied) || fault.ReasonOf(err) != outward.NotAllowed {
		t.Errorf("%s: %v, want it denied", what, err)
	}
}

var onlyThis = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func TestAddressesAreCheckedWhenTheyAreDialled(t *testing.T) {
	port, came := here(t, ok)
	names := map[string][]string{
		"loopback.example": {"127.0.0.1"}, "private.example": {"10.0.0.1"}, "metadata.example": {"169.254.169.254"}, "shared.example": {"100.64.0.1"},
		"multicast.example": {"224.0.0.1"}, "zero.example": {"0.0.0.0"}, "six.example": {"::1"}, "mapped.example": {"::ffff:127.0.0.1"},
		"nat64.example": {"64:ff9b::7f00:1"}, "local.example": {"fe80::1"}, "all.example": {"10.0.0.1", "::1", "127.0.0.1"},
	}
	resolver := serveNames(t, func(name string, _ int) []string { return names[name] })
	c := outward.New(outward.Config{Resolver: resolver})
	for name := range names {
		_, err := get(t, c, "http://"+name+":"+port+"/")
		wantDenied(t, name, err)
	}
	for _, url := range []string{"http://127.0.0.1:" + port, "http://localhost:" + port, "ftp://example.com", "http://a:b@example.com"} {
		_, err := get(t, c, url) // without CheckURL having been asked
		wantDenied(t, url, err)
	}
	if n := came.Load(); n != 0 {
		t.Fatalf("%d requests came through", n)
	}
	allowing := outward.New(outward.Config{Resolver: resolver, Allow: onlyThis})
	for _, name := range []string{"loopback.example", "mapped.example", "all.example", "127.0.0.1", "localhost"} {
		if status, err := get(t, allowing, "http://"+name+":"+port+"/"); err != nil || status != 200 {
			t.Errorf("%s, allowed: %d, %v", name, status, err)
		}
	}
}

// A name that leads somewhere else the second time gets nobody past the check.
func TestRebinding(t *testing.T) {
	port, came := here(t, ok)
	resolver := serveNames(t, func(_ string, nth int) []string { return []string{[]string{"127.0.0.1", "127.0.0.2"}[min(nth, 1)]} })
	c := outward.New(outward.Config{Resolver: resolver, Allow: onlyThis})
	url := "http://moving.example:" + port + "/"
	if status, err := get(t, c, url); err != nil || status != 200 {
		t.Fatalf("while it leads where it may: %d, %v", status, err)
	}
	c.Close()
	_, err := get(t, c, url)
	wantDenied(t, "when it leads elsewhere", err)
	if n := came.Load(); n != 1 {
		t.Errorf("%d requests came", n)
	}
}

func TestRedirects(t *testing.T) {
	secret, reached := here(t, ok)
	var referers []string
	var port string
	port, _ = here(t, func(w http.ResponseWriter, r *http.Request) {
		referers = append(referers, r.Header.Get("Referer"))
		switch to := r.URL.Query().Get("to"); to {
		case "":
		case "round":
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		default:
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	})
	resolver := serveNames(t, func(name string, _ int) []string {
		return map[string][]string{"inner.example": {"127.0.0.2"}, "outer.example": {"127.0.0.1"}}[name]
	})
	c := outward.New(outward.Config{Resolver: resolver, Allow: onlyThis, Redirects: 3})
	base := "http://127.0.0.1:" + port + "/?to="
	for _, to := range []string{"http://127.0.0.2:" + secret, "http://inner.example:" + secret, "http://10.0.0.1/", "http://[::1]:" + secret, "ftp://outer.example/",
		"http://a:b@outer.example:" + secret} {
		_, err := get(t, c, base+to)
		wantDenied(t, "redirected to "+to, err)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d redirects came through", n)
	}
	if status, err := get(t, c, base+"http://outer.example:"+port+"/"); err != nil || status != 200 || referers[len(referers)-1] != "" {
		t.Errorf("a redirect that may be followed: %d, %v, referer %q", status, err, referers[len(referers)-1])
	}
	if _, err := get(t, c, base+"round"); fault.ReasonOf(err) != "TOO_MANY_REDIRECTS" {
		t.Errorf("round and round: %v", err)
	}
	none := outward.New(outward.Config{Resolver: resolver, Allow: onlyThis})
	if status, err := get(t, none, base+"http://10.0.0.1/"); err != nil || status != 307 {
		t.Errorf("not followed: %d, %v", status, err)
	}
}

func TestNoProxy(t *testing.T) {
	proxy, asked := here(t, ok)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+proxy)
	}
	resolver := serveNames(t, func(string, int) []string { return []string{"10.0.0.1"} })
	_, err := get(t, outward.New(outward.Config{Resolver: resolver, Allow: onlyThis}), "http://private.example/")
	wantDenied(t, "with a proxy about", err)
	if asked.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestConnectionsAreKept(t *testing.T) {
	from := map[string]int{}
	port, _ := here(t, func(_ http.ResponseWriter, r *http.Request) { from[r.RemoteAddr]++ })
	c := outward.New(outward.Config{Allow: onlyThis})
	for range 20 {
		if _, err := get(t, c, "http://127.0.0.1:"+port+"/"); err != nil {
			t.Fatal(err)
		}
	}
	if len(from) > 10 { // net/http gives one up now and then on a busy machine
		t.Errorf("%d connections for 20 requests", len(from))
	}
}
