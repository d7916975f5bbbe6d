package edge

import (
	"context"
	"net/http"
)

// story is what a route tells the middleware around it.
type story struct {
	route string
	quiet bool
}

type storyKey struct{}

func withStory(ctx context.Context) (context.Context, *story) {
	s := new(story)
	return context.WithValue(ctx, storyKey{}, s), s
}

// Route names h's route in traces, metrics and the access log: a pattern, never a path, of which there are as many as images.
func Route(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		SetRoute(r, name)
		h.ServeHTTP(w, r)
	})
}

// Quiet is Route for what machines ask every few seconds: logged at debug only.
func Quiet(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := r.Context().Value(storyKey{}).(*story); ok {
			s.route, s.quiet = name, true
		}
		h.ServeHTTP(w, r)
	})
}

// SetRoute names the route of a request under way.
func SetRoute(r *http.Request, name string) {
	if s, ok := r.Context().Value(storyKey{}).(*story); ok {
		s.route = name
	}
}

// RouteOf gives the route that a request went to, or "".
func RouteOf(r *http.Request) string {
	if s, ok := r.Context().Value(storyKey{}).(*story); ok {
		return s.route
	}
	return ""
}
