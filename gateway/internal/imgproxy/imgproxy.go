// Package imgproxy reads the paths of imgproxy's addresses: /{signature}/{options}/plain/{source}@{extension}, or the source in
// base64. What an option asks for is said in Calotype's options, or refused by the option's name. It knows imgproxy's public
// documentation, https://docs.imgproxy.net/usage/processing, and no HTTP.
package imgproxy

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"calotype/gateway/internal/compat"
	"calotype/kit/fault"
)

// Reader reads paths.
type Reader struct {
	// Keys check signatures, any of them; without one, whatever stands in a signature's place is taken.
	Keys []Key
	// Unsigned lets "unsafe" or "insecure" stand in a signature's place although there are keys.
	Unsigned bool
	// Presets are options by name; that of "default" comes before all others.
	Presets map[string]string
	// Find gives the image that stands for a source, for watermarks with addresses of their own.
	Find func(source string) (image string, err error)
	// Watermark is the image that the option watermark puts upon pictures, Opacity how much of it shows where the option says 1.
	Watermark string
	Opacity   float64
	// Now is the time, for addresses that expire.
	Now func() time.Time
}

// Key is what imgproxy signs with.
type Key struct{ Key, Salt []byte }

// Read takes a path apart, which begins with a slash.
func (r Reader) Read(path string) (compat.Address, error) {
	signature, rest, plain, err := compat.Split(path)
	if err != nil {
		return compat.Address{}, err
	}
	if err := r.verify(signature, rest, plain); err != nil {
		return compat.Address{}, err
	}
	p := &parser{reader: r, pipelines: []pipeline{{}}}
	if options, ok := r.Presets["default"]; ok {
		if err := p.preset("default", options); err != nil {
			return compat.Address{}, err
		}
	}
	segments := strings.Split(rest, "/")
	at := 0
	for ; at < len(segments) && segments[at] != "plain"; at++ {
		option, err := url.PathUnescape(segments[at])
		if err != nil {
			return compat.Address{}, compat.Wrong("the path is not escaped as paths are: %v", err)
		}
		if option != "-" && !strings.Contains(option, ":") {
			break
		}
		if err := p.option(option); err != nil {
			return compat.Address{}, err
		}
	}
	a := compat.Address{}
	if a.Source, err = p.source(segments[at:]); err != nil {
		return a, err
	}
	if p.out.expires > 0 {
		if a.Until = time.Unix(p.out.expires, 0); r.Now().After(a.Until) {
			return a, fault.New(fault.NotFound, "ADDRESS_EXPIRED", "the address has expired")
		}
	}
	a.Filename, a.Attachment, a.Original = p.out.filename, p.out.attachment, p.out.raw
	if a.Original && (a.Filename != "" || a.Attachment || p.out.expires > 0) {
		return a, compat.Refuse("imgproxy's raw with a filename, return_attachment or expires")
	}
	a.Options = p.translate
	return a, nil
}

func (r Reader) verify(signature, rest, plain string) (err error) {
	if signature == "unsafe" || signature == "insecure" {
		if r.Unsigned || len(r.Keys) == 0 {
			return nil
		}
		return fault.New(fault.Denied, "SIGNATURE_MISSING", "only signed addresses are served here")
	}
	for _, k := range r.Keys {
		if err = compat.Verify(sha256.New, k.Key, signature, string(k.Salt)+"/"+rest, string(k.Salt)+"/"+plain); err == nil {
			return nil
		}
	}
	return err
}

// source reads what comes after the options, and the extension at its end.
func (p *parser) source(segments []string) (string, error) {
	if len(segments) == 0 || strings.Join(segments, "") == "" {
		return "", compat.Wrong("the path names no source: it is /{signature}/{options}/plain/{source}, or the source in base64")
	}
	var source, extension string
	switch segments[0] {
	case "enc":
		return "", compat.Refuse("an encrypted source")
	case "plain":
		text, ext, _ := strings.Cut(strings.Join(segments[1:], "/"), "@")
		unescaped, err := url.PathUnescape(text)
		if err != nil {
			return "", compat.Wrong("the source is not escaped as paths are: %v", err)
		}
		source, extension = unescaped, ext
	default:
		text, ext, _ := strings.Cut(strings.Join(segments, ""), ".")
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return "", compat.Wrong("%.80q is neither one of imgproxy's options nor a source in base64", text)
		}
		source, extension = string(b), ext
	}
	if extension != "" {
		return source, p.option("format:" + extension)
	}
	return source, nil
}
