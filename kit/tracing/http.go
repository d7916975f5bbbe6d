package tracing

import (
	"context"
	"net/http"

	"github.com/felixge/httpsnoop"
	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/uber/jaeger-client-go"
)

// TraceHeader tells whoever asked under which id the trace can be found.
const TraceHeader = "X-Trace-Id"

// HTTP traces requests: it goes on with the caller's trace or begins one, and answers with its id, kept or not. Spans are named after the
// route, never the path, of which there are as many as images. A nil route means the pattern that http.ServeMux found.
func HTTP(t opentracing.Tracer, route func(*http.Request) string, next http.Handler) http.Handler {
	if Off(t) {
		return next
	}
	if route == nil {
		route = func(r *http.Request) string { return r.Pattern }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		opts := []opentracing.StartSpanOption{ext.SpanKindRPCServer, opentracing.Tag{Key: string(ext.Component), Value: "net/http"}}
		var not *unkept
		if sc, err := t.Extract(opentracing.HTTPHeaders, opentracing.HTTPHeadersCarrier(r.Header)); err == nil {
			opts = append(opts, opentracing.ChildOf(sc))
			if j, ok := sc.(jaeger.SpanContext); ok && !j.IsSampled() {
				not = &unkept{parent: asW3C(j.String())}
			}
		} else if mine, ok := t.(*Tracer); ok {
			var kept []opentracing.StartSpanOption
			if kept, not = mine.root("HTTP " + r.Method); not == &nameless {
				not = &unkept{parent: fresh()} // whoever asked is told an id, and it is in every line
			}
			opts = append(opts, kept...)
		}
		if not != nil {
			w.Header().Set(TraceHeader, not.id())
			next.ServeHTTP(w, r.WithContext(not.known(context.WithValue(r.Context(), unkeptKey{}, not))))
			return
		}
		sp := t.StartSpan("HTTP "+r.Method, opts...)
		defer sp.Finish()
		ext.HTTPMethod.Set(sp, r.Method)
		ext.HTTPUrl.Set(sp, r.URL.Path) // without the query, which may hold a signature
		if sc, ok := sp.Context().(jaeger.SpanContext); ok {
			w.Header().Set(TraceHeader, sc.TraceID().String())
		}
		r = r.WithContext(known(opentracing.ContextWithSpan(r.Context(), sp), sp))
		m := httpsnoop.CaptureMetrics(next, w, r)
		if p := route(r); p != "" {
			sp.SetOperationName("HTTP " + withMethod(r.Method, p))
		}
		ext.HTTPStatusCode.Set(sp, uint16(m.Code))
		if m.Code >= 500 {
			ext.Error.Set(sp, true)
		}
	})
}

// withMethod puts the method before a route that does not begin with it, as ServeMux's patterns may.
func withMethod(method, route string) string {
	if len(route) > 0 && route[0] == '/' {
		return method + " " + route
	}
	return route
}
