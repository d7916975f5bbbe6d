package onthefly

import (
	"net/url"
	"strings"
	"testing"

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

func TestVerify(t *testing.T) {
	keys := Keys{[]byte("new-0123456789abcdef"), []byte("old-0123456789abcdef")}
	for _, path := range []string{"img.png", "w_1/img.png", "w_1/e_x/img.png", "w_1,h_2/ümlaut.png"} {
		for _, signed := range []string{keys.Sign(path), keys[1:].Sign(path)} {
			if got, err := keys.Verify(signed); err != nil || got != path {
				t.Errorf("%s gave %q, %v", signed, got, err)
			}
		}
		if got, err := (Keys{}).Verify(keys.Sign(path)); err != nil || got != path {
			t.Errorf("without keys, a signed address gave %q, %v", got, err)
		}
		if got, err := (Keys{}).Verify(path); err != nil || got != path {
			t.Errorf("without keys, %s gave %q, %v", path, got, err)
		}
		if _, err := keys.Verify(path); !fault.Is(err, fault.Denied) {
			t.Errorf("unsigned %s gave %v", path, err)
		}
	}
	signed := keys.Sign("w_1/img.png")
	for i := range signed {
		changed := []byte(signed)
		changed[i] ^= 1
		if _, err := keys.Verify(string(changed)); !fault.Is(err, fault.Denied) {
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
		got, err := keys.Verify(strings.TrimPrefix(arrived.Path, Prefix))
		if err != nil || got != path {
			t.Errorf("%s arrives as %q, %v", address, got, err)
		}
		if a, err := parse(got); err != nil || a.options != options || a.id != "img_1" {
			t.Errorf("%s is taken for %+v, %v", address, a, err)
		}
	}
}
