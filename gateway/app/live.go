package app

import (
	"net/http"
	"sync/atomic"
)

// limited is a handler whose limits may change: a request ends with those that it began with.
type limited struct{ now atomic.Pointer[http.Handler] }

func (l *limited) set(h http.Handler) { l.now.Store(&h) }

func (l *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*l.now.Load()).ServeHTTP(w, r) }
