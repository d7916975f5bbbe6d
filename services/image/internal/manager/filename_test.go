package manager

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFilename(t *testing.T) {
	for in, want := range map[string]string{
		"a.jpg":                  "a.jpg",
		"../../etc/passwd":       "passwd",
		`C:\Fotos\Müller 1.jpg`:  "Müller 1.jpg",
		"folder/":                "folder",
		"":                       "",
		"/":                      "",
		"..":                     "",
		".":                      "",
		"a\x00b\nc\x7f.png":      "abc.png",
		"bad\xffutf8":            "bad\uFFFDutf8",
		strings.Repeat("x", 300): strings.Repeat("x", 255),
		strings.Repeat("写", 100): strings.Repeat("写", 85),
	} {
		if got := filename(in); got != want || !utf8.ValidString(got) {
			t.Errorf("filename(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		most := min(relayRest, relayPause<<min(failures-1, 30))
		if d := backoff(failures, relayPause, relayRest); d < most/2 || d > most {
			t.Errorf("after %d failures %v, want %v..%v", failures, d, most/2, most)
		}
	}
}
