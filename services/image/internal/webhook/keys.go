package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"calotype/kit/fault"
)

// The form of Standard Webhooks' symmetric secrets.
const (
	secretPrefix = "whsec_"
	leastSecret  = 24 // bytes
	mostSecret   = 64
)

// keys sign. All of them do, so that receivers may take up a new one while others still have the old.
type keys [][]byte

// readKeys reads secrets that stand between commas or white space.
func readKeys(text string) (all keys, faults []fault.Field) {
	for i, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		encoded, prefixed := strings.CutPrefix(s, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case !prefixed || err != nil:
			faults = append(faults, fault.Field{Path: "secrets", Message: fmt.Sprintf("secret %d is not %q and base64", i+1, secretPrefix)})
		case len(key) < leastSecret || len(key) > mostSecret:
			faults = append(faults, fault.Field{Path: "secrets", Message: fmt.Sprintf("secret %d has %d bytes, and not %d to %d", i+1, len(key), leastSecret, mostSecret)})
		default:
			all = append(all, key)
		}
	}
	return all, faults
}

// sign gives the value of webhook-signature.
func (k keys) sign(id string, at time.Time, body []byte) string {
	var b strings.Builder
	for i, key := range k {
		if i > 0 {
			b.WriteByte(' ')
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		b.WriteString("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return b.String()
}

// newSecret makes a secret from 32 random bytes.
func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}
