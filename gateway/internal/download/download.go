// Package download answers with stored bytes: originals, and the variants that jobs have made. Ranges and conditions are weighed
// before anything is fetched, and bytes pass through in chunks.
package download

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"calotype/gateway/internal/flow"
	"calotype/gateway/internal/media"
	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

// Handler serves stored bytes. Its fields are set before the first request.
type Handler struct {
	Images  imagev1.ImagesService
	Storage storagev1.StorageService
	// Lookup is how long finding out what to serve may take; Patience how long a client may take no byte.
	Lookup, Patience time.Duration
}

// content is what is served: the stored bytes and how they are to be called.
type content struct {
	digest      string
	size        int64
	contentType string
	filename    string
	modified    time.Time // zero where it is not known
}

// Original serves GET /v1/images/{id}/original.
func (h *Handler) Original(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.Lookup)
	defer cancel()
	img, err := h.Images.Get(ctx, &imagev1.GetImageRequest{Id: r.PathValue("id")})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	c := content{digest: img.GetDigest(), size: img.GetSize(), contentType: img.GetContentType(), filename: img.GetFilename(), modified: img.GetCreateTime().AsTime()}
	if c.filename == "" {
		c.filename = img.GetId() + "." + media.Extension(img.GetFormat())
	}
	h.serve(w, r, c)
}

// Variant serves GET /v1/images/{id}/variants/{name}. A name may mean other bytes after another job, so nothing but the ETag tells
// whether a copy is still good.
func (h *Handler) Variant(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.Lookup)
	defer cancel()
	res, err := h.Images.GetVariant(ctx, &imagev1.GetVariantRequest{ImageId: r.PathValue("id"), Name: r.PathValue("name")})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("X-Accel-Expires", "@1") // nginx may keep it, and asks each time whether it still holds; clients are not told
	h.serve(w, r, content{digest: res.GetDigest(), size: res.GetSize(), contentType: res.GetContentType(),
		filename: r.PathValue("id") + "-" + res.GetName() + "." + media.Extension(res.GetFormat())})
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c content) {
	header := w.Header()
	header.Set("ETag", strconv.Quote(c.digest))
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Type", c.contentType)
	header.Set("Content-Disposition", media.Disposition(r, false, c.filename))
	media.Harmless(header)
	d := decide(r, header, c.modified, c.size)
	switch {
	case d.status == http.StatusRequestedRangeNotSatisfiable, d.status == http.StatusPartialContent && d.length == 0: // net/http takes "bytes=-0" for a range
		header.Set("Content-Range", "bytes */"+strconv.FormatInt(c.size, 10))
		problem.Write(w, r, fault.New(fault.Invalid, problem.OutOfRange, "there are %d bytes, and none of the range asked for", c.size))
	case d.status == http.StatusPreconditionFailed:
		problem.Write(w, r, fault.New(fault.Conflict, problem.PreconditionFailed, "the stored bytes are not those that the request's condition names"))
	case d.status != http.StatusOK && d.status != http.StatusPartialContent, r.Method == http.MethodHead, d.length == 0:
		w.WriteHeader(d.status)
	default:
		h.stream(w, r, c, d)
	}
}

// stream fetches and forwards. When the client leaves, the request's context ends and storage stops reading.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, c content, d decision) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	get := &storagev1.GetRequest{Digest: c.digest, Offset: d.offset, Length: d.length}
	if d.length == c.size {
		get.Length = 0 // to the end: storage verifies what it reads whole
	}
	stream, err := h.Storage.Get(ctx, get)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	defer stream.Close()
	err = flow.Send(w, r, h.Patience, func() { w.WriteHeader(d.status) }, func() ([]byte, error) {
		for {
			m, err := stream.Recv()
			if err != nil {
				return nil, err
			}
			if chunk := m.GetChunk(); len(chunk) > 0 {
				return chunk, nil
			}
		}
	})
	if err != nil {
		problem.Write(w, r, err)
	}
}
