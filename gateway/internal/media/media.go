// Package media says how pictures from strangers are named and labelled on their way out, and how names are taken in.
package media

import (
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Harmless keeps browsers from finding anything but a picture in bytes that strangers uploaded.
func Harmless(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
}

// Disposition is the Content-Disposition that names the file, in a way that no name can break out of. Save has browsers save it, and so does
// ?download=true.
func Disposition(r *http.Request, save bool, filename string) string {
	how := "inline"
	if yes, _ := strconv.ParseBool(r.URL.Query().Get("download")); yes || save {
		how = "attachment"
	}
	filename = Filename(filename)
	if filename == "" {
		return how
	}
	if v := mime.FormatMediaType(how, map[string]string{"filename": filename}); v != "" {
		return v
	}
	return how
}

// Filename makes of any text a name without folders or control characters, of at most 255 bytes.
func Filename(s string) string {
	s = strings.ToValidUTF8(s, "_")
	s = strings.Map(func(c rune) rune {
		switch {
		case c < 0x20, c >= 0x7f && c < 0xa0, c == '"':
			return -1
		case c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069: // they would show "gpj.exe" backwards
			return -1
		}
		return c
	}, s)
	s = path.Base("/" + strings.ReplaceAll(s, `\`, "/"))
	if s == "/" || s == "." || s == ".." {
		return ""
	}
	for len(s) > 255 {
		r := []rune(s)
		s = string(r[:len(r)-1])
	}
	return s
}

// Extension is the usual ending for a format.
func Extension(format string) string {
	if format == "jpeg" {
		return "jpg"
	}
	return format
}
