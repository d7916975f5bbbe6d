package onthefly

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"calotype/kit/fault"
)

// The value comes from: printf %s w_512/img_1.webp | openssl dgst -sha256 -hmac 0123456789abcdef -binary | basenc --base64url
func TestSignatureIsWhatTheDocumentationSays(t *testing.T) {
	keys := Keys{[]byte("0123456789abcdef")}
	const want = "s--6HYBtCn5uzH5uF7QpEFaqt-OtedgKwMEz-m0_Ud8INM--/w_512/img_1.webp"
	if got := keys.Sign("w_512/img_1.webp"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

var day = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func TestVerify(t *testing.T) {
	keys := Keys{[]byte("new-0123456789abcdef"), []byte("old-0123456789abcdef")}
	for _, path := range []string{"img.png", "w_1/img.png", "w_1/e_x/img.png", "w_1,h_2/ümlaut.png"} {
		for _, signed := range []string{keys.Sign(path), keys[1:].Sign(path)} {
			if got, end, err := keys.Verify(signed, day); err != nil || got != path || !end.IsZero() {
				t.Errorf("%s gave %q, %v", signed, got, err)
			}
		}
		if got, _, err := (Keys{}).Verify(keys.Sign(path), day); err != nil || got != path {
			t.Errorf("without keys, a signed address gave %q, %v", got, err)
		}
		if got, _, err := (Keys{}).Verify(path, day); err != nil || got != path {
			t.Errorf("without keys, %s gave %q, %v", path, got, err)
		}
		if _, _, err := keys.Verify(path, day); !fault.Is(err, fault.Denied) {
			t.Errorf("unsigned %s gave %v", path, err)
		}
	}
	signed := keys.Sign("w_1/img.png")
	for i := range signed {
		changed := []byte(signed)
		changed[i] ^= 1
		if _, _, err := keys.Verify(string(changed), day); !fault.Is(err, fault.Denied) {
			t.Errorf("with byte %d changed, %s is let through", i, changed)
		}
	}
}

func TestParse(t *testing.T) {
	for path, want := range map[string]address{
		"img_1.webp":           {id: "img_1", extension: "webp"},
		"img_1":                {id: "img_1"},
		"w_1/img_1.jpg":        {id: "img_1", options: "w_1", extension: "jpg"},
		"w_1,h_2/f_auto/img_1": {id: "img_1", options: "w_1,h_2/f_auto"},
	} {
		if got, err := parse(path); err != nil || got != want {
			t.Errorf("parse(%s) = %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "w_1/", ".webp", "w_1/.webp"} {
		if _, err := parse(path); !fault.Is(err, fault.NotFound) {
			t.Errorf("parse(%s) gave %v", path, err)
		}
	}
}

func TestSignaturesExpire(t *testing.T) {
	keys := Keys{[]byte("0123456789abcdef")}
	signed := keys.SignUntil("w_1/img.png", day)
	if !strings.Contains(signed, "--/exp_1777863721/w_1/img.png") {
		t.Errorf("signed as %s", signed)
	}
	for _, k := range []Keys{keys, nil} {
		if path, end, err := k.Verify(signed, day.Add(-time.Second)); err != nil || path != "w_1/img.png" || !end.Equal(day) {
			t.Errorf("before its end: %q, %v, %v", path, end, err)
		}
		if _, _, err := k.Verify(signed, day); fault.ReasonOf(err) != "SIGNATURE_EXPIRED" || !fault.Is(err, fault.Denied) {
			t.Errorf("at its end: %v", err)
		}
	}
	for _, later := range []string{strings.Replace(signed, "exp_1", "exp_2", 1), strings.Replace(signed, "exp_1777863721/", "", 1), keys.Sign("exp_never/w_1/img.png"), keys.Sign("exp_99999999999999/w_1/img.png")} {
		if _, _, err := keys.Verify(later, day); fault.ReasonOf(err) != "SIGNATURE_WRONG" {
			t.Errorf("%s: %v", later, err)
		}
	}
	if got := keep(time.Now().Add(time.Hour + time.Second/2)); got != "public, max-age=3600, must-revalidate" {
		t.Errorf("for an hour: %s", got)
	}
}

func TestUnsignedByPolicy(t *testing.T) {
	presets := map[string]bool{"t_card/img.webp": true, "t_card/t_web:w320/img": true, "img.webp": false, "t_card,q_100/img": false, "t_card/w_5/img": false}
	for path, preset := range presets {
		for policy, admitted := range map[Unsigned]bool{NoneUnsigned: false, PresetsUnsigned: preset, AllUnsigned: true} {
			h := Handler{Keys: Keys{[]byte("0123456789abcdef")}, Unsigned: policy}
			if got, _, err := h.admit(path, day); admitted != (err == nil) || admitted && got != path {
				t.Errorf("%s under %s: %q, %v", path, policy, got, err)
			}
			if _, _, err := h.admit("s--"+strings.Repeat("A", 43)+"--/"+path, day); fault.ReasonOf(err) != "SIGNATURE_WRONG" {
				t.Errorf("%s, wrongly signed under %s: %v", path, policy, err)
			}
		}
	}
}

func TestHintsAreRead(t *testing.T) {
	for _, c := range []struct {
		header http.Header
		dpr    float64
		width  int32
		window int32
	}{
		{http.Header{}, 0, 0, 0},
		{http.Header{"Sec-Ch-Dpr": {"2.625"}, "Dpr": {"1"}, "Sec-Ch-Width": {"1079"}, "Viewport-Width": {"412"}}, 2.625, 1079, 412},
		{http.Header{"Sec-Ch-Dpr": {"NaN"}, "Dpr": {"1.5"}, "Width": {"-1"}, "Sec-Ch-Viewport-Width": {"1e9"}}, 1.5, 0, 0},
	} {
		got := hints(c.header)
		if got.GetDpr() != c.dpr || got.GetWidth() != c.width || got.GetViewportWidth() != c.window {
			t.Errorf("%v gave %v", c.header, got)
		}
	}
}

// A text of an overlay reaches the recipe as it was signed, whatever it holds: an address is a path that is encoded once.
func TestTextsSurviveAddresses(t *testing.T) {
	keys := Keys{[]byte("0123456789abcdef")}
	for _, options := range []string{"l_text:DejaVu Sans_40:a%2Cb%2Fc%25_.é😀", "l_text:sans_40:b64:SGVsbG8sIHdvcmxk,w_5"} {
		path := options + "/img_1.webp"
		address := (&url.URL{Path: Prefix + keys.Sign(path)}).EscapedPath()
		arrived, err := url.ParseRequestURI(address)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := keys.Verify(strings.TrimPrefix(arrived.Path, Prefix), day)
		if err != nil || got != path {
			t.Errorf("%s arrives as %q, %v", address, got, err)
		}
		if a, err := parse(got); err != nil || a.options != options || a.id != "img_1" {
			t.Errorf("%s is taken for %+v, %v", address, a, err)
		}
	}
}
