// Package edge is what every request passes before it reaches its route: limits, the access log, who may call from where, and that a
// panic is one failed request. It knows no route and no service; ids and traces are kit/boot's.
package edge

import (
	"log/slog"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/rs/cors"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

// Config says what the edge lets through.
type Config struct {
	// Origins are the web origins, such as "https://example.com", whose pages may call; "*" means any.
	Origins []string
	// ForwardHeaders are the client's headers that travel to the services as RPC metadata. No other does.
	ForwardHeaders []string
	// Proxies are believed when they say who asked.
	Proxies Proxies
	// MaxURL is the greatest length of a request's address in bytes.
	MaxURL int
	// Route names a request's route, "" for none; requests to those in Quiet are logged at debug only.
	Route func(*http.Request) string
	Quiet []string
}

// Wrap puts the edge around next.
func Wrap(cfg Config, log *slog.Logger, next http.Handler) (http.Handler, error) {
	h, err := sameOrigin(cfg.Origins, next)
	if err != nil {
		return nil, err
	}
	h = limitURL(cfg.MaxURL, legible(forward(cfg.ForwardHeaders, h)))
	if len(cfg.Origins) > 0 {
		h = crossOrigin(cfg.Origins).Handler(h)
	}
	return cfg.Proxies.behind(access(cfg, log, guard(log, h))), nil
}

func limitURL(limit int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := len(r.RequestURI); n > limit {
			problem.Write(w, r, fault.New(fault.Invalid, problem.URITooLong, "the address has %d bytes; at most %d are taken", n, limit))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// legible refuses addresses that are no UTF-8 when they are decoded: messages cannot carry them, so that every route behind would fail.
func legible(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		if !utf8.ValidString(r.URL.Path) || err == nil && !utf8.ValidString(query) {
			problem.Write(w, r, fault.New(fault.Invalid, "BAD_ADDRESS", "the address is not UTF-8"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func crossOrigin(origins []string) *cors.Cors {
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders: []string{"Accept", "Content-Type", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range",
			"Last-Event-ID", "Range", "Traceparent", "Tracestate", "X-Filename", problem.HeaderRequestID},
		ExposedHeaders: []string{"Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "Location", "Retry-After",
			problem.HeaderRequestID, problem.HeaderTraceID},
		MaxAge: int((2 * time.Hour).Seconds()),
	})
}

// sameOrigin refuses what pages of other origins send on their visitors' behalf: a browser asks nobody before it posts a form.
func sameOrigin(trusted []string, next http.Handler) (http.Handler, error) {
	p := http.NewCrossOriginProtection()
	for _, o := range trusted {
		if o == "*" {
			return next, nil
		}
		if err := p.AddTrustedOrigin(o); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "BAD_CONFIG", "%q is not a web origin", o)
		}
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, fault.New(fault.Denied, "CROSS_ORIGIN", "pages of other origins may not call; the gateway's configuration lists those that may"))
	}))
	return p.Handler(next), nil
}
