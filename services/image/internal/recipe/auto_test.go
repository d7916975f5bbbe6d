package recipe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
)

func TestParseOfSearches(t *testing.T) {
	for text, want := range map[string]Output{
		"q_auto":                       {AutoQuality: TargetGood},
		"q_auto:eco,bytes_50000,f_png": {Format: PNG, AutoQuality: TargetEco, MaxBytes: 50000},
		"bytes_256/q_7":                {Quality: 7, MaxBytes: 256},
	} {
		if d := cmp.Diff(want, mustParse(t, text).Output); d != "" {
			t.Errorf("Parse(%q): -want +got\n%s", text, d)
		}
	}
	for text, want := range map[string][2]string{
		"q_auto:god":    {"options[0].q", `did you mean "good"?`},
		"q_auto:":       {"options[0].q", "one of best, good, eco, low"},
		"q_automatic":   {"options[0].q", "it is one of auto"},
		"bytes_50k":     {"options[0].bytes", "no whole number"},
		"bytes_0":       {"options[0].bytes", "0 is not within 256..999999999"},
		"w_5/bytes_255": {"options[1].bytes", "255 is not within 256..999999999"},
	} {
		_, err := Parse(text)
		if e := fault.As(err); e == nil || len(e.Fields) != 1 || e.Fields[0].Path != want[0] || !strings.Contains(e.Fields[0].Message, want[1]) {
			t.Errorf("Parse(%q): %v; want one fault at %s with %q", text, err, want[0], want[1])
		}
	}
	_, err := Parse("bytes_100,q_auto:god/e_blurr:3")
	if e := fault.As(err); e == nil || len(e.Fields) != 3 {
		t.Errorf("three faults at once: %v", err)
	}
	both := Variant{Output: Output{Quality: 80, AutoQuality: "god"}}
	if fields := both.Check(); len(fields) != 2 || !strings.Contains(fields[0].Message, "best, good, eco, low") && !strings.Contains(fields[0].Message, `"good"`) {
		t.Errorf("a wrong target beside a quality: %v", fields)
	}
}

// A quality that is to be found stays to be found, for who has one; it may need either chroma subsampling.
func TestResolveOfSearches(t *testing.T) {
	photo, logo := Source{Format: "jpeg", Pages: 1}, Source{Format: "png", HasAlpha: true, Pages: 1}
	for _, c := range []struct {
		options string
		src     Source
		want    string
	}{
		{"q_auto", photo, "b_ffffff,f_jpeg,q_auto:good"},
		{"q_auto:low,fl_chroma_420", photo, "b_ffffff,f_jpeg,fl_chroma_420,q_auto:low"},
		{"q_auto,bytes_5000", logo, "b_transparent,bytes_5000,f_png"},
		{"q_auto,fl_lossless,f_webp", photo, "b_transparent,f_webp,fl_lossless"},
		{"q_90:444,bytes_5000", photo, "b_ffffff,bytes_5000,f_jpeg,fl_chroma_444,q_90"},
		{"bytes_5000", photo, "b_ffffff,bytes_5000,f_jpeg,q_80"},
	} {
		if got, err := mustParse(t, c.options).Resolve(c.src); err != nil || Canonical(got) != c.want {
			t.Errorf("%q for %v: %q, %v; want %q", c.options, c.src, Canonical(got), err, c.want)
		}
	}
}

// What the file of a picture tells of its content decides with Accept.
func TestFormatByContent(t *testing.T) {
	drawing, photo := Source{Format: "png", Pages: 1, Width: 1000, Height: 500, Bytes: 249_999}, Source{Format: "png", Pages: 1, Width: 1000, Height: 500, Bytes: 250_000}
	moving := Source{Format: "gif", Pages: 9, Width: 1000, Height: 500, Bytes: 20_000}
	for _, c := range []struct {
		options, accept string
		src             Source
		want            string
	}{
		{"f_auto", "image/avif,image/webp", drawing, "b_transparent,f_webp,q_auto:good"},
		{"f_auto,q_60", "image/avif,image/webp", drawing, "b_transparent,f_webp,q_60"},
		{"f_auto,q_auto:eco", "image/avif,image/webp", drawing, "b_transparent,f_webp,q_auto:eco"},
		{"f_auto,fl_lossless", "image/avif,image/webp", drawing, "b_transparent,f_webp,fl_lossless"},
		{"f_auto", "*/*", drawing, "b_transparent,f_png"},
		{"f_auto", "image/avif,image/webp", photo, "b_transparent,f_avif,q_55"},
		{"f_auto", "*/*", photo, "b_ffffff,f_jpeg,q_80"},
		{"f_auto", "image/webp", moving, "b_transparent,f_webp,q_80"},
		{"f_auto,pg_2", "image/avif,image/webp", moving, "b_transparent,f_webp,pg_2,q_auto:good"},
		{"f_webp", "", drawing, "b_transparent,f_webp,q_80"},
	} {
		got, vary, err := mustParse(t, c.options).Negotiate("", c.accept, c.src)
		if err != nil || Canonical(got) != c.want || vary != strings.HasPrefix(c.options, "f_auto") {
			t.Errorf("%q for %v, accepting %q: %q, %v, %v; want %q", c.options, c.src, c.accept, Canonical(got), vary, err, c.want)
		}
	}
}
