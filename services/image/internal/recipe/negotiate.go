package recipe

import (
	"strconv"
	"strings"

	"calotype/kit/fault"
)

// Negotiate resolves a variant for a request on the fly. The format is, in this order: what f_ says, f_auto by the Accept header; the
// extension's; the original's. Vary reports whether Accept had a say, so that caches must tell requests apart by it. A variant
// without a name is called "result" from here on, as nodes want names.
// Fails with fault.Invalid as Resolve does, and with reason UNKNOWN_EXTENSION.
func (v Variant) Negotiate(extension, accept string, src Source) (resolved Variant, vary bool, err error) {
	if fields := append(v.single(), v.Check()...); len(fields) > 0 {
		return Variant{}, false, bad(fields)
	}
	switch {
	case v.Output.Format == Negotiated:
		v.Output.Format, vary = v.fromAccept(accept, src), true
		v = v.content(src)
	case v.Output.Format == Original && extension != "":
		if v.Output.Format, err = FromExtension(extension); err != nil {
			return Variant{}, false, err
		}
	}
	if v.Name == "" {
		v.Name = "result"
	}
	v = v.fill(src)
	if fields := v.checkResolved(src); len(fields) > 0 {
		return Variant{}, vary, bad(fields)
	}
	return v, vary, nil
}

// FromExtension gives the format of a URL's extension, with or without its dot, in any case.
// Fails with fault.Invalid, reason UNKNOWN_EXTENSION.
func FromExtension(extension string) (Format, error) {
	word := lower(strings.TrimPrefix(extension, "."))
	if f, ok := formatOf(word); ok {
		return f, nil
	}
	e := fault.New(fault.Invalid, "UNKNOWN_EXTENSION", "the extension names no format")
	e.Fields = []fault.Field{{Path: "extension", Message: wrongWord("format", word, formats)}}
	return Original, e
}

func formatOf(word string) (Format, bool) {
	switch word {
	case "jpg":
		return JPEG, true
	case "tif":
		return TIFF, true
	}
	return Format(word), member(word, formats)
}

// fromAccept picks the smallest format that the Accept header names: avif, webp, else what every client shows. Only a format
// named outright counts: "image/*" and "*/*" come from clients that show neither. jxl is for who asks for nothing else as much. A higher q wins; at the same q, the
// smaller. What moves stays moving: webp, else gif. A drawing becomes webp, else png. A format that cannot hold so large a result is passed over.
func (v Variant) fromAccept(accept string, src Source) Format {
	moving := src.Pages > 1 && (src.Format == "gif" || src.Format == "webp") && v.Output.Page == 0
	drawing := src.drawing(v.Output.Page)
	best, weight := src.fallback(moving, drawing), 0.0
	for _, f := range []Format{AVIF, WebP, JXL} {
		if moving && f == AVIF || drawing && f != WebP || !f.holds(v, src) {
			continue
		}
		if q := accepted(accept, f.ContentType()); q > weight {
			best, weight = f, q
		}
	}
	return best
}

func (src Source) fallback(moving, drawing bool) Format {
	switch {
	case moving:
		return GIF
	case src.HasAlpha || drawing:
		return PNG
	}
	return JPEG
}

// accepted gives the q of a media type that an Accept header names outright, else 0.
func accepted(accept, contentType string) float64 {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), contentType) {
			continue
		}
		for param := range strings.SplitSeq(params, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			if q, err := strconv.ParseFloat(value, 64); strings.EqualFold(key, "q") && err == nil {
				return q
			}
		}
		return 1
	}
	return 0
}
