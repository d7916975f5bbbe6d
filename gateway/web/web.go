// Package web holds the console and the API's documentation: static files, embedded, without a build step and without a word to any
// other server. It serves them; what they ask for is the API itself.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

//go:embed static
var static embed.FS

// policy lets the pages load only what stands here.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type file struct {
	data []byte
	etag string
	kind string
}

// Pages gives the handler of each path that has a page or a part of one: "/" is the console, "/docs" the documentation.
func Pages() (map[string]http.Handler, error) {
	pages := map[string]http.Handler{}
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		f := &file{data: data, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, kind: kind(name)}
		switch base := path.Base(name); base {
		case "index.html":
			pages["/"] = f
		case "docs.html":
			pages["/docs"] = f
		default:
			pages["/static/"+base] = f
		}
		return nil
	})
	return pages, err
}

// kind does not ask the machine's own table, in which scripts are text/plain on some.
func kind(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	r.Header.Del("Range") // a part of a page is no use to anybody
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}
