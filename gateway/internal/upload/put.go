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

// put streams src into storage; size is 0 where it is not known. Whatever ends it early also ends the call, so that storage drops
// what it has of a file that never came whole.
func (h *Handler) put(ctx context.Context, src io.Reader, size int64) (*storagev1.Blob, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	buf := h.chunks.Get().(*[]byte)
	defer h.chunks.Put(buf)

	// The first chunk is read before storage is called: an empty body is nobody's work.
	n, err := flow.Fill(src, *buf)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, inTime(ctx, err)
	}
	if n == 0 {
		return nil, fault.New(fault.Invalid, "EMPTY_FILE", "there is no file in the request")
	}
	stream, rpcErr := h.storage.Put(ctx)
	if rpcErr != nil {
		return nil, rpcErr
	}
	defer stream.Close()
	sendErr := stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{Size: size}}})
	for sendErr == nil {
		if n > 0 {
			sendErr = stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: (*buf)[:n]}})
		}
		if errors.Is(err, io.EOF) || sendErr != nil {
			break
		}
		if n, err = flow.Fill(src, *buf); err != nil && !errors.Is(err, io.EOF) {
			return nil, inTime(ctx, err)
		}
	}
	if sendErr != nil && !errors.Is(sendErr, io.EOF) {
		return nil, sendErr
	}
	if sendErr == nil {
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
