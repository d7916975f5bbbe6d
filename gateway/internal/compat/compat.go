// Package compat serves the addresses of other picture servers, so that a site can come here without changing its pages: what an
// address asks for is said in Calotype's own options, and made as it is on the fly. It knows none of those servers.
package compat

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"calotype/gateway/internal/onthefly"
	"calotype/gateway/internal/problem"
	imagev1 "calotype/proto/image/v1"
)

// Address is what a path of another server asks for.
type Address struct {
	// Source is where that server would get the original.
	Source string
	// Options says it in Calotype's options, for an image of a size. It fails with ErrUnmeasured where the size is unknown and has a say.
	Options func(Size) (string, error)
	// Filename names the file for who saves it; empty means by the image. Attachment has browsers save it.
	Filename   string
	Attachment bool
	Until      time.Time // when the address expires; zero is never
	// Original asks for the original as it is, whatever Options say.
	Original bool
}

// Dialect reads paths, as they are escaped in the request and without what the handler's own prefix is. It fails with fault.Denied where a
// signature is wrong, and with fault.Invalid and the name of what is not understood.
type Dialect interface {
	Read(path string) (Address, error)
}

// Handler serves the addresses under a prefix.
type Handler struct {
	Prefix  string // with a slash at either end
	Dialect Dialect
	Sources Sources
	Images  imagev1.ImagesService
	Fly     *onthefly.Handler
	// Original serves the original of the image that the request's path value "id" names.
	Original http.Handler
	Timeout  time.Duration // for asking how large an image is
}

// Mine reports whether a request is one for this handler. It comes before any router: sources hold "//", which routers clean away.
func (h *Handler) Mine(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, h.Prefix) }

// ServeHTTP translates, and has the result made.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := h.Dialect.Read(strings.TrimPrefix(r.URL.EscapedPath(), strings.TrimSuffix(h.Prefix, "/")))
	var image string
	if err == nil {
		image, err = h.Sources.Find(a.Source)
	}
	if err == nil && a.Original {
		r.SetPathValue("id", image)
		h.Original.ServeHTTP(w, r)
		return
	}
	var request onthefly.Request
	if err == nil {
		request, err = h.translate(r, a, image)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.Fly.Serve(w, r, request)
}

func (h *Handler) translate(r *http.Request, a Address, image string) (onthefly.Request, error) {
	options, err := a.Options(Size{})
	if errors.Is(err, ErrUnmeasured) {
		ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
		defer cancel()
		var found *imagev1.Image
		if found, err = h.Images.Get(ctx, &imagev1.GetImageRequest{Id: image}); err == nil {
			options, err = a.Options(Size{int(found.GetWidth()), int(found.GetHeight())})
		}
	}
	return onthefly.Request{ID: image, Options: options, Filename: a.Filename, Attachment: a.Attachment, Until: a.Until}, err
}
