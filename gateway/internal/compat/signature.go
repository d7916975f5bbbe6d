package compat

import (
	"crypto/hmac"
	"encoding/base64"
	"hash"
	"net/url"
	"strings"

	"calotype/kit/fault"
)

// Split takes a path apart, which begins with a slash: the signature, and what it is of, as it stands there and unescaped.
func Split(path string) (signature, rest, plain string, err error) {
	signature, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if plain, err = url.PathUnescape(rest); err != nil {
		err = Wrong("the path is not escaped as paths are: %v", err)
	}
	return signature, rest, plain, err
}

// Verify checks a signature in base64url, padded or not, of a text by HMAC. Without a key every signature does.
func Verify(algorithm func() hash.Hash, key []byte, signature string, texts ...string) error {
	if len(key) == 0 {
		return nil
	}
	sum, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(signature, "="))
	for _, text := range texts {
		mac := hmac.New(algorithm, key)
		mac.Write([]byte(text))
		if err == nil && hmac.Equal(sum, mac.Sum(nil)) {
			return nil
		}
	}
	return fault.New(fault.Denied, "SIGNATURE_WRONG", "the signature is not one of ours for this address")
}
