package media_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"calotype/gateway/internal/media"
)

func TestFilename(t *testing.T) {
	for in, want := range map[string]string{
		"cat.jpg":              "cat.jpg",
		"../../etc/passwd":     "passwd",
		`C:\Users\me\cat.jpg`:  "cat.jpg",
		"a\r\nSet-Cookie: x":   "aSet-Cookie: x",
		`quo"te.png`:           "quote.png",
		"..":                   "",
		"":                     "",
		"/":                    "",
		"schöne Grüße 🌅.webp":  "schöne Grüße 🌅.webp",
		"bad\xffutf8.png":      "bad_utf8.png",
		"folder/":              "folder",
		"fdp\u202egpj.exe":     "fdpgpj.exe",
		"rtl\u0085\u009fx.jpg": "rtlx.jpg",
	} {
		if got := media.Filename(in); got != want {
			t.Errorf("Filename(%q) = %q, want %q", in, got, want)
		}
	}
	long := media.Filename(strings.Repeat("ä", 300))
	if len(long) > 255 || !utf8.ValidString(long) {
		t.Errorf("a long name became %d bytes, valid %v", len(long), utf8.ValidString(long))
	}
}

func TestDispositionCannotBeBrokenOutOf(t *testing.T) {
	for name, want := range map[string]string{
		"cat.jpg":            `inline; filename=cat.jpg`,
		"two words.jpg":      `inline; filename="two words.jpg"`,
		"schön.jpg":          `inline; filename*=utf-8''sch%C3%B6n.jpg`,
		"x\r\nSet-Cookie: a": `inline; filename="xSet-Cookie: a"`,
		"..":                 `inline`,
	} {
		if got := media.Disposition(httptest.NewRequest("GET", "/x", nil), false, name); got != want {
			t.Errorf("for %q got %s, want %s", name, got, want)
		}
	}
	if got := media.Disposition(httptest.NewRequest("GET", "/x?download=1", nil), false, "a.png"); got != "attachment; filename=a.png" {
		t.Errorf("asked to save: %s", got)
	}
}
