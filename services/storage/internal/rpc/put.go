package rpc

import (
	"context"
	"errors"
	"io"

	"calotype/kit/fault"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/internal/blob"
)

// Put stores a stream of bytes.
func (h *Handler) Put(ctx context.Context, stream storagev1.Storage_PutStream) error {
	leave, err := h.enter()
	if err != nil {
		return err
	}
	defer leave()
	want, err := h.header(ctx, stream)
	if err != nil {
		return err
	}
	info, outcome, err := h.store.Put(ctx, &upload{ctx: ctx, stream: stream, handler: h}, want)
	if err != nil {
		return err
	}
	h.metrics.puts[outcome].Inc()
	if outcome == blob.Healed {
		h.metrics.corrupt.Inc()
	}
	return stream.SendMsg(&storagev1.PutResponse{Blob: fill(&storagev1.Blob{}, info)})
}

func (h *Handler) header(ctx context.Context, stream storagev1.Storage_PutStream) (blob.Want, error) {
	var want blob.Want
	first, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return want, gone(ctx, err)
	}
	header := first.GetHeader()
	if header == nil {
		return want, fault.New(fault.Invalid, "HEADER_MISSING", "the first message of an upload must be its header")
	}
	if header.GetDigest() != "" {
		if want.Digest, err = parse(header.GetDigest(), "header.digest"); err != nil {
			return want, err
		}
	}
	if want.Size = header.GetSize(); want.Size < 0 {
		return want, fault.New(fault.Invalid, "BAD_SIZE", "the promised size %d is negative", want.Size)
	}
	if want.Size > int64(h.cfg.MaxBlob) {
		return want, h.tooLarge()
	}
	return want, nil
}

func (h *Handler) tooLarge() error {
	return fault.New(fault.Invalid, "TOO_LARGE", "the blob is larger than the %d bytes that are allowed", int64(h.cfg.MaxBlob))
}

// gone prefers the context's own error: a stream that broke because the caller left says so in the transport's words.
func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// upload reads the chunks of a stream, and lets io.Copy hand them on as they came, without a copy.
type upload struct {
	ctx     context.Context // the stream's
	stream  storagev1.Storage_PutStream
	handler *Handler
	rest    []byte
	size    int64
}

func (u *upload) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		var err error
		if u.rest, err = u.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func (u *upload) WriteTo(w io.Writer) (written int64, err error) {
	for {
		chunk := u.rest
		if u.rest = nil; len(chunk) == 0 {
			if chunk, err = u.next(); errors.Is(err, io.EOF) {
				return written, nil
			} else if err != nil {
				return written, err
			}
		}
		n, err := w.Write(chunk)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// next gives io.EOF only where the caller has closed the stream in order; one who vanishes is an error.
func (u *upload) next() ([]byte, error) {
	m, err := u.stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, gone(u.ctx, err)
	}
	if m.GetHeader() != nil {
		return nil, fault.New(fault.Invalid, "HEADER_TWICE", "an upload has one header, and it comes first")
	}
	chunk := m.GetChunk()
	if len(chunk) > MaxChunk {
		return nil, fault.New(fault.Invalid, "CHUNK_TOO_LARGE", "a chunk of %d bytes is larger than %d", len(chunk), MaxChunk)
	}
	u.handler.metrics.in.Add(float64(len(chunk)))
	if u.size += int64(len(chunk)); u.size > int64(u.handler.cfg.MaxBlob) {
		return nil, u.handler.tooLarge()
	}
	return chunk, nil
}
