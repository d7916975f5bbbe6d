package metrics

import (
	"net/http"
	"strconv"

	"github.com/felixge/httpsnoop"
	"github.com/prometheus/client_golang/prometheus"
)

// HTTP counts and times requests by method, route and status. The route, never the path, is the label: a nil route means the
// pattern that http.ServeMux found, and what has none is counted as "none".
func HTTP(r prometheus.Registerer, route func(*http.Request) string, next http.Handler) http.Handler {
	done := counter(r, "calotype_http_requests_total", "Requests that were answered, by method, route and status.", "method", "route", "status")
	took := histogram(r, "calotype_http_request_seconds", "How long requests took, bodies included.", "method", "route")
	running := gauge(r, "calotype_http_in_flight", "Requests being answered.", "method")
	if route == nil {
		route = func(r *http.Request) string { return r.Pattern }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		method := known(req.Method)
		running.WithLabelValues(method).Inc()
		defer running.WithLabelValues(method).Dec()
		m := httpsnoop.CaptureMetrics(next, w, req)
		path := route(req)
		if path == "" {
			path = "none"
		}
		done.WithLabelValues(method, path, strconv.Itoa(m.Code)).Inc()
		took.WithLabelValues(method, path).Observe(m.Duration.Seconds())
	})
}

// known keeps strangers from making labels up.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
