package wire

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"calotype/kit/fault"
)

func TestWhatIsGRPC(t *testing.T) {
	for said, want := range map[string][2]any{
		"application/grpc": {true, ""}, "application/grpc+proto": {true, "proto"}, "application/grpc+JSON; x=y": {true, "json"}, "application/grpc;x": {true, ""},
		"application/grpc-web": {false, ""}, "application/grpc-web+proto": {false, ""}, "application/json": {false, ""}, "": {false, ""},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", said)
		if Is(r) != want[0] || want[0] == true && Subtype(r) != want[1] {
			t.Errorf("%q: %v %q", said, Is(r), Subtype(r))
		}
	}
}

func TestTimeout(t *testing.T) {
	for v, want := range map[string]time.Duration{"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "4m": 4 * time.Millisecond, "5u": 5 * time.Microsecond, "6n": 6, "0m": 0} {
		if got, said, err := Timeout(with("Grpc-Timeout", v)); got != want || !said || err != nil {
			t.Errorf("%s is %v, %v, %v", v, got, said, err)
		}
	}
	for _, v := range []string{"", "99999999H"} {
		if _, said, err := Timeout(with("Grpc-Timeout", v)); said || err != nil {
			t.Errorf("%q: %v, %v", v, said, err)
		}
	}
	for _, v := range []string{"1", "m", "-1m", "123456789m", "1x", "1.5S", "S1"} {
		if _, _, err := Timeout(with("Grpc-Timeout", v)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", v, err)
		}
	}
}

func with(key, value string) *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set(key, value)
	return r
}

func TestMetadataThereAndBack(t *testing.T) {
	h := http.Header{}
	put(h, "", metadata.Pairs("a", "1", "a", "2", "b-bin", "\x00\xff", "b-bin", ""))
	if !slices.Equal(Values(h, "a"), []string{"1", "2"}) || !slices.Equal(Values(h, "B-Bin"), []string{"\x00\xff", ""}) {
		t.Errorf("%v", h)
	}
	h = http.Header{"X-Bin": {"AP8=, !!, AQ"}}
	if got := Values(h, "x-bin"); !slices.Equal(got, []string{"\x00\xff", "\x01"}) {
		t.Errorf("%q", got)
	}
	if got := escape("ö 100%\n"); got != "%C3%B6 100%25%0A" {
		t.Errorf("%q", got)
	}
}
