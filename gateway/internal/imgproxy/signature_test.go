package imgproxy

import (
	"encoding/hex"
	"testing"

	"calotype/kit/fault"
)

// The first address is imgproxy's published example of its examples/signature.go, the second that of
// https://docs.imgproxy.net/usage/signing_url; the third comes from:
// printf hello/rs:fill:300:400:0/g:sm/plain/img_1@png | openssl dgst -sha256 -hmac secret -binary | basenc --base64url
func TestSignatures(t *testing.T) {
	of := func(text string) []byte {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	r := reader
	r.Keys = []Key{
		{Key: of("943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881"), Salt: of("520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5")},
		{Key: []byte("secret"), Salt: []byte("hello")},
	}
	first := "/_PQ4ytCQMMp-1w1m_vP6g8Qb-Q7yF9mwghf6PddqxLw/fill/300/300/no/1/aHR0cDovL2ltZy5leGFtcGxlLmNvbS9wcmV0dHkvaW1hZ2UuanBn.png"
	if err := r.verify("_PQ4ytCQMMp-1w1m_vP6g8Qb-Q7yF9mwghf6PddqxLw", first[45:], ""); err != nil {
		t.Errorf("%s: %v", first[45:], err)
	}
	for _, good := range []string{
		"/oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png",
		"/ljWQ8FgSb6o4CPlI8V-710tMwhAms7-Vqt4RZk7Wuz4/rs:fill:300:400:0/g:sm/plain/img_1@png",
		"/ljWQ8FgSb6o4CPlI8V-710tMwhAms7-Vqt4RZk7Wuz4=/rs:fill:300:400:0/g:sm/plain/img_1%40png",
	} {
		if _, err := r.Read(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, reason := range map[string]string{
		"/ljWQ8FgSb6o4CPlI8V-710tMwhAms7-Vqt4RZk7Wuz4/rs:fill:300:401:0/g:sm/plain/img_1@png": "SIGNATURE_WRONG",
		"/ljWQ8FgSb6o4CPlI8V-710tMwhAms7-Vqt4RZk7Wuz/rs:fill:300:400:0/g:sm/plain/img_1@png":  "SIGNATURE_WRONG",
		"//rs:fill:300:400:0/g:sm/plain/img_1@png":                                            "SIGNATURE_WRONG",
		"/_/plain/img_1":        "SIGNATURE_WRONG",
		"/unsafe/plain/img_1":   "SIGNATURE_MISSING",
		"/insecure/plain/img_1": "SIGNATURE_MISSING",
	} {
		if _, err := r.Read(bad); !fault.Is(err, fault.Denied) || fault.ReasonOf(err) != reason {
			t.Errorf("%s: %v", bad, err)
		}
	}
	r.Unsigned = true
	if _, err := r.Read("/unsafe/plain/img_1"); err != nil {
		t.Error(err)
	}
	if _, err := r.Read("/_/plain/img_1"); !fault.Is(err, fault.Denied) {
		t.Error(err)
	}
}
