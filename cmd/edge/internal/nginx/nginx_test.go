package nginx

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVersions(t *testing.T) {
	for text, want := range map[string]Version{"nginx version: nginx/1.22.1\n": {1, 22, 1}, "nginx version: nginx/1.26.3 (Debian)": {1, 26, 3}} {
		if got, err := ParseVersion(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "nginx version: openresty/1.25.3.1", "nginx/new"} {
		if got, err := ParseVersion(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	for _, c := range []struct {
		v, w Version
		want bool
	}{{Version{1, 25, 1}, split, true}, {Version{1, 25, 0}, split, false}, {Version{1, 22, 9}, split, false}, {Version{2, 0, 0}, split, true}} {
		if c.v.AtLeast(c.w) != c.want {
			t.Errorf("%v at least %v is not %v", c.v, c.w, c.want)
		}
	}
}

func TestHTTP2IsSaidAsEachReleaseWantsIt(t *testing.T) {
	s := Settings{HTTP: "127.0.0.1:1", GRPC: "127.0.0.1:2", TLS: "127.0.0.1:3", Cert: "/c", Key: "/k", Slots: 2, Drain: time.Second}
	say := func(v Version) (all []string) {
		for _, one := range s.view(v, 100).Servers {
			all = append(all, strings.Join(one.Listen, ","))
			if one.HTTP2 {
				all = append(all, "http2 on")
			}
		}
		return all
	}
	if got := say(Version{1, 22, 1}); !slices.Equal(got, []string{"127.0.0.1:1", "127.0.0.1:2 http2", "127.0.0.1:3 ssl http2"}) {
		t.Errorf("1.22: %q", got)
	}
	if got := say(Version{1, 26, 3}); !slices.Equal(got, []string{"127.0.0.1:1", "http2 on", "127.0.0.1:2", "http2 on", "127.0.0.1:3 ssl", "http2 on"}) {
		t.Errorf("1.26: %q", got)
	}
	s.Cert, s.GRPC = "", ""
	if got := say(Version{1, 26, 3}); len(got) != 2 {
		t.Errorf("neither a certificate nor gRPC: %q", got)
	}
	if got := listens(":80"); got[0] != "80" {
		t.Errorf("all addresses are %q", got)
	}
}

func TestProblemsAreJSON(t *testing.T) {
	for _, p := range problems {
		var d map[string]any
		if err := json.Unmarshal([]byte(strings.TrimSuffix(p.Body, `\n`)), &d); err != nil || strings.ContainsAny(p.Body, "'") || d["status"] != float64(p.Status) {
			t.Errorf("%d: %s, %v", p.Status, p.Body, err)
		}
	}
}

func TestLinesKeepTheirLevel(t *testing.T) {
	var out bytes.Buffer
	l := &lines{log: slog.New(slog.NewTextHandler(&out, nil))}
	for _, part := range []string{"2026/11/22 03:56:49 [error] 1#2: *3 connect", "() failed\n2026/11/22 03:56:49 [notice] 1#2: exit\n", "\nodd\n", strings.Repeat("x", longest), "y", "\n"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	text := out.String()
	for _, want := range []string{`level=ERROR msg="*3 connect() failed"`, `level=INFO msg=exit`, `level=WARN msg=odd`, "level=WARN msg=xxx"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %.500s", want, text)
		}
	}
}
