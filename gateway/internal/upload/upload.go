// Package upload takes in originals: a file streams into storage chunk by chunk, whatever its size, and is registered as an image
// once it is durable. A client that leaves ends the work behind it.
package upload

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"calotype/gateway/internal/flow"
	"calotype/gateway/internal/problem"
	"calotype/gateway/internal/rest"
	"calotype/kit/rpc"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

// formRoom is what a form may have beside the file: boundaries, headers and the other fields.
const formRoom = 2 << 20

// Handler serves POST /v1/images. Make it by New.
type Handler struct {
	cfg     Config
	storage storagev1.StorageService
	images  imagev1.ImagesService
	chunks  sync.Pool // *[]byte
}

// Config says what is taken in.
type Config struct {
	// Limit is the greatest file in bytes.
	Limit int64
	// Timeout is how long a whole upload may take, Patience how long no byte may come, and Register how long registering may take.
	Timeout, Patience, Register time.Duration
}

// New makes the handler.
func New(cfg Config, storage storagev1.StorageService, images imagev1.ImagesService) *Handler {
	h := &Handler{cfg: cfg, storage: storage, images: images}
	h.chunks.New = func() any { b := make([]byte, flow.ChunkSize); return &b }
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := h.take(w, r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	data, err := rest.Marshal(answer)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/v1/images/"+answer.GetImage().GetId())
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(data) // the caller has left
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request) (*imagev1.CreateImageResponse, error) {
	ctx, cancel := context.WithTimeout(r.Context(), h.cfg.Timeout)
	defer cancel()
	req := &imagev1.CreateImageRequest{IdempotencyKey: r.Header.Get("Idempotency-Key")}
	if err := fromQuery(r, req); err != nil {
		return nil, err
	}
	receive := h.file
	if isForm(r) {
		receive = h.form
	}
	blob, err := receive(ctx, w, r, req)
	if err != nil {
		return nil, err
	}
	req.Digest = blob.GetDigest()
	ctx, stop := context.WithTimeout(ctx, h.cfg.Register)
	defer stop()
	// A caller who gives no key gets one, so that the call itself can be repeated on another node when one dies.
	if req.IdempotencyKey == "" {
		req.IdempotencyKey = "gateway-" + uuid.NewString()
	}
	answer, err := h.images.Create(ctx, req, rpc.WithIdempotent())
	return answer, asSent(err)
}

// file takes a body that is the file itself.
func (h *Handler) file(ctx context.Context, w http.ResponseWriter, r *http.Request, req *imagev1.CreateImageRequest) (*storagev1.Blob, error) {
	if r.ContentLength > h.cfg.Limit {
		return nil, flow.TooLarge(h.cfg.Limit)
	}
	name, err := filename(r)
	if err != nil {
		return nil, err
	}
	req.Filename = name
	return h.put(ctx, flow.NewBody(w, r, h.cfg.Limit, h.cfg.Patience), max(r.ContentLength, 0))
}
