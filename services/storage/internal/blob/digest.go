package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"calotype/kit/fault"
)

// Digest is the sha256 of a blob's bytes and its only name. The zero Digest means "not known".
type Digest [sha256.Size]byte

// Parse reads 64 lower-case hexadecimal digits; anything else is Invalid with reason BAD_DIGEST. Upper case is refused because
// a digest has one spelling: it is a file's name, an object's key and part of cache keys.
func Parse(s string) (Digest, error) {
	var d Digest
	if len(s) == hex.EncodedLen(len(d)) {
		if _, err := hex.Decode(d[:], []byte(s)); err == nil && d.String() == s {
			return d, nil
		}
	}
	return Digest{}, fault.New(fault.Invalid, "BAD_DIGEST", "a digest is 64 lower-case hexadecimal digits")
}

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether the digest is not known.
func (d Digest) IsZero() bool { return d == Digest{} }

// Compare orders digests as their spellings sort.
func (d Digest) Compare(o Digest) int { return bytes.Compare(d[:], o[:]) }
