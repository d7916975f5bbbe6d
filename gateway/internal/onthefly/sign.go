package onthefly

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"calotype/kit/fault"
)

// Keys sign addresses. The first signs; every one of them verifies, so that a key is replaced by putting the new one first and taking
// the old one away when no page holds its signatures any more. No keys at all mean that nothing needs a signature.
type Keys [][]byte

const missing = "SIGNATURE_MISSING"

// The signature is the first segment of a path: s--SIGNATURE--.
const (
	opening = "s--"
	closing = "--"
	expiry  = "exp_" // and seconds since 1970: the first segment of what is signed, where it is there
)

// Sign puts the signature before a path such as "w_512/img_01JC.webp". The signature is base64url without padding of
// HMAC-SHA256(key, path).
func (k Keys) Sign(path string) string {
	if len(k) == 0 {
		return path
	}
	return opening + base64.RawURLEncoding.EncodeToString(mac(k[0], path)) + closing + "/" + path
}

// SignUntil signs a path as Sign does, together with the second after which it is refused.
func (k Keys) SignUntil(path string, end time.Time) string {
	return k.Sign(expiry + strconv.FormatInt(end.Unix(), 10) + "/" + path)
}

// Verify gives the path behind a signature and when it expires, zero for never. It fails with fault.Denied where keys are set and no
// signature of theirs is there, and where the time is over.
func (k Keys) Verify(signed string, now time.Time) (path string, end time.Time, err error) {
	if path, err = k.verify(signed); err != nil || path == signed {
		return path, time.Time{}, err
	}
	first, rest, _ := strings.Cut(path, "/")
	text, expires := strings.CutPrefix(first, expiry)
	if !expires {
		return path, time.Time{}, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 40)
	if err != nil {
		return "", time.Time{}, fault.New(fault.Denied, "SIGNATURE_WRONG", "%.40q is no time of expiry: seconds since 1970 are meant", first)
	}
	if end = time.Unix(int64(seconds), 0); !now.Before(end) {
		return "", end, fault.New(fault.Denied, "SIGNATURE_EXPIRED", "the address was valid until %s", end.UTC().Format(time.RFC3339))
	}
	return rest, end, nil
}

func (k Keys) verify(signed string) (path string, err error) {
	first, rest, more := strings.Cut(signed, "/")
	text, isSigned := strings.CutPrefix(first, opening)
	if isSigned {
		text, isSigned = strings.CutSuffix(text, closing)
	}
	if !isSigned || !more {
		if len(k) > 0 {
			return "", fault.New(fault.Denied, missing, "only signed addresses are served here")
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
