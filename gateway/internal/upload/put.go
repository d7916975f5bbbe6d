package upload

import (
	"context"
	"errors"
	"io"

	"calotype/gateway/internal/flow"
	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
	storagev1 "calotype/proto/storage/v1"
)

// tries is how often a file is sent at most, where it is small enough to be sent again.
const tries = 3

// put streams src into storage; size is 0 where it is not known. A file that one chunk holds is sent again when its node breaks off: bytes
// have one name, whichever node keeps them, and however often.
func (h *Handler) put(ctx context.Context, src io.Reader, size int64) (*storagev1.Blob, error) {
	buf := h.chunks.Get().(*[]byte)
	defer h.chunks.Put(buf)

	// The first chunk is read before storage is called: an empty body is nobody's work.
	n, err := flow.Fill(src, *buf)
	whole := errors.Is(err, io.EOF)
	switch {
	case err != nil && !whole:
		return nil, inTime(ctx, err)
	case n == 0:
		return nil, fault.New(fault.Invalid, "EMPTY_FILE", "there is no file in the request")
	case whole:
		src = nil
	}
	for try := 1; ; try++ {
		blob, err := h.send(ctx, *buf, n, src, size)
		if !whole || try == tries || !brokeOff(err) || ctx.Err() != nil {
			return blob, err
		}
	}
}

// brokeOff reports that a node is gone. One that answers gives its reason.
func brokeOff(err error) bool {
	f := fault.As(err)
	return f != nil && f.Kind == fault.Unavailable && f.Reason == ""
}

// send sends what the buffer begins with, and then more, which may be nil. Whatever ends it early also ends the call, so that storage
// drops what it has of a file that never came whole.
func (h *Handler) send(ctx context.Context, buf []byte, n int, more io.Reader, size int64) (*storagev1.Blob, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.storage.Put(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	err = stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{Size: size}}})
	for err == nil && n > 0 {
		err = stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: buf[:n]}})
		if err != nil || more == nil {
			break
		}
		var end error
		if n, end = flow.Fill(more, buf); errors.Is(end, io.EOF) {
			more = nil
		} else if end != nil {
			return nil, inTime(ctx, end)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err == nil {
		if err := stream.CloseSend(); err != nil {
			return nil, err
		}
	}
	// After io.EOF from Send, too: storage has ended the call, and only the answer says why.
	var answer storagev1.PutResponse
	if err := stream.RecvMsg(&answer); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Internal, "", "storage ended an upload without an answer")
		}
		return nil, err
	}
	return answer.GetBlob(), nil
}

// inTime tells a client that was slow from one that left.
func inTime(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && fault.Is(err, fault.Canceled) {
		return fault.Wrap(err, fault.Invalid, problem.Stalled, "the upload took longer than is allowed")
	}
	return err
}
