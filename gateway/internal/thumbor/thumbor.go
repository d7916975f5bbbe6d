// Package thumbor reads the paths of thumbor's addresses, which imagor's are too:
// /{signature|unsafe}/trim/AxB:CxD/fit-in/-WxH/{horizontal}/{vertical}/smart/filters:.../{source}. What a part asks for is said in
// Calotype's options, or refused by its name. It knows their public documentation, https://thumbor.readthedocs.io/en/latest/usage.html
// and https://docs.imagor.net, and no HTTP.
package thumbor

import (
	"crypto/sha1" //nolint:gosec // what thumbor signs with; HMAC does not suffer from what SHA-1 lost
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"time"

	"calotype/gateway/internal/compat"
	"calotype/kit/fault"
)

// Reader reads paths.
type Reader struct {
	// Key checks signatures; without one, whatever stands in a signature's place is taken.
	Key []byte
	// Unsigned lets "unsafe" stand in a signature's place although there is a key.
	Unsigned bool
	// Find gives the image that stands for a source, for watermarks.
	Find func(source string) (image string, err error)
	// Now is the time, for addresses that expire.
	Now func() time.Time
}

// number is one of a region's, in pixels or as a part.
const number = `([0-9]{1,6}(?:\.[0-9]{0,8})?|\.[0-9]{1,8})`

// The parts of a path, in their order; each may be missing.
var (
	trims   = regexp.MustCompile(`^trim(?::(top-left|bottom-right))?(?::([0-9]{1,3}))?$`)
	regions = regexp.MustCompile(`^` + number + `x` + number + `:` + number + `x` + number + `$`)
	fits    = regexp.MustCompile(`^(adaptive-|adaptative-)?(full-)?fit-in$`)
	sizes   = regexp.MustCompile(`^(-?)([0-9]{0,6}|orig)x(-?)([0-9]{0,6}|orig)$`)
	margins = regexp.MustCompile(`^([0-9]{1,6})x([0-9]{1,6})(?::([0-9]{1,6})x([0-9]{1,6}))?$`)
)

// Read takes a path apart, which begins with a slash.
func (r Reader) Read(path string) (compat.Address, error) {
	signature, rest, plain, err := compat.Split(path)
	if err != nil {
		return compat.Address{}, err
	}
	if err := r.verify(signature, rest, plain); err != nil {
		return compat.Address{}, err
	}
	q := request{reader: r}
	source, err := q.read(strings.Split(rest, "/"))
	if err != nil {
		return compat.Address{}, err
	}
	a := compat.Address{Source: source, Options: q.translate, Filename: q.filename, Attachment: q.attachment, Until: q.until, Original: q.raw}
	switch {
	case q.raw && (q.attachment || !q.until.IsZero()):
		return a, compat.Refuse("raw() with attachment() or expire()")
	case !q.until.IsZero() && r.Now().After(q.until):
		return a, fault.New(fault.NotFound, "ADDRESS_EXPIRED", "the address has expired")
	}
	return a, nil
}

func (r Reader) verify(signature, rest, plain string) error {
	if signature == "unsafe" && len(r.Key) > 0 {
		if r.Unsigned {
			return nil
		}
		return fault.New(fault.Denied, "SIGNATURE_MISSING", "only signed addresses are served here")
	}
	if unescaped, err := url.PathUnescape(signature); err == nil {
		signature = unescaped // its "=" may come as %3D
	}
	return compat.Verify(sha1.New, r.Key, signature, rest, plain)
}

// read reads all parts but the signature, and gives the source.
func (q *request) read(segments []string) (source string, err error) {
	next := func() string {
		if len(segments) == 0 {
			return ""
		}
		text, err := url.PathUnescape(segments[0])
		if err != nil {
			return segments[0]
		}
		return text
	}
	take := func(yes bool) bool {
		if yes {
			segments = segments[1:]
		}
		return yes
	}
	if next() == "meta" {
		return "", compat.Refuse("thumbor's meta")
	}
	if m := trims.FindStringSubmatch(next()); take(m != nil) {
		q.trim, q.trimFrom, q.tolerance = true, m[1], m[2]
	}
	if m := regions.FindStringSubmatch(next()); take(m != nil) {
		q.region = m[1:]
	}
	if m := fits.FindStringSubmatch(next()); take(m != nil) {
		q.fit, q.adaptive, q.full = true, m[1] != "", m[2] != ""
	}
	q.stretch = take(next() == "stretch")
	if m := sizes.FindStringSubmatch(next()); take(m != nil) {
		q.flipX, q.width, q.flipY, q.height = m[1] != "", m[2], m[3] != "", m[4]
	}
	if m := margins.FindStringSubmatch(next()); take(m != nil) {
		q.margins = m[1:]
	}
	if h := next(); take(h == "left" || h == "center" || h == "right") {
		q.horizontal = h
	}
	if v := next(); take(v == "top" || v == "middle" || v == "bottom") {
		q.vertical = v
	}
	q.smart = take(next() == "smart")
	if strings.HasPrefix(next(), "filters:") {
		if segments, err = q.filtered(segments); err != nil {
			return "", err
		}
	}
	return unescape(strings.Join(segments, "/"))
}

// unescape gives a source as it was before it came into an address: escaped, or in base64.
func unescape(source string) (string, error) {
	if source == "" {
		return "", compat.Wrong("the path names no source: it is /{signature}/{size}/{source}")
	}
	if text, ok := strings.CutPrefix(source, "b64:"); ok {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return "", compat.Wrong("%.80q is no base64", text)
		}
		return string(b), nil
	}
	plain, err := url.PathUnescape(source)
	if err != nil {
		return "", compat.Wrong("the source is not escaped as paths are: %v", err)
	}
	return plain, nil
}
