package onthefly

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"calotype/kit/fault"
)

// Keys sign addresses. The first signs; every one of them verifies, so that a key is replaced by putting the new one first and taking
// the old one away when no page holds its signatures any more. No keys at all mean that nothing needs a signature.
type Keys [][]byte

// The signature is the first segment of a path: s--SIGNATURE--.
const (
	opening = "s--"
	closing = "--"
)

// Sign puts the signature before a path such as "w_512/img_01JC.webp". The signature is base64url without padding of
// HMAC-SHA256(key, path).
func (k Keys) Sign(path string) string {
	if len(k) == 0 {
		return path
	}
	return opening + base64.RawURLEncoding.EncodeToString(mac(k[0], path)) + closing + "/" + path
}

// Verify gives the path behind a signature, and fails with fault.Denied where keys are set and no signature of theirs is there.
func (k Keys) Verify(signed string) (path string, err error) {
	first, rest, more := strings.Cut(signed, "/")
	text, isSigned := strings.CutPrefix(first, opening)
	if isSigned {
		text, isSigned = strings.CutSuffix(text, closing)
	}
	if !isSigned || !more {
		if len(k) > 0 {
			return "", fault.New(fault.Denied, "SIGNATURE_MISSING", "only signed addresses are served here")
		}
		return signed, nil
	}
	if len(k) == 0 {
		return rest, nil // keys were taken away; addresses signed with them go on working
	}
	sum, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		for _, key := range k {
			if hmac.Equal(sum, mac(key, rest)) {
				return rest, nil
			}
		}
	}
	return "", fault.New(fault.Denied, "SIGNATURE_WRONG", "the signature is not one of ours for this address")
}

func mac(key []byte, path string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(path))
	return h.Sum(nil)
}
