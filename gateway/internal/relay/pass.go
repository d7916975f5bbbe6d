package relay

import (
	"context"
	"errors"
	"io"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"calotype/gateway/internal/catalog"
	"calotype/gateway/internal/wire"
	"calotype/kit/fault"
	"calotype/kit/rpc"
)

// target is where a call goes.
type target struct {
	method *catalog.Method
	own    grpc.ClientConnInterface // nil: to a node
	opts   []client.CallOption
}

// pass makes the call. Cancel ends ctx, with the reason for which the call is given up.
func (h *Handler) pass(ctx context.Context, cancel context.CancelCauseFunc, call *wire.Call, to target) (metadata.MD, error) {
	if to.method.Idempotent {
		to.opts = append(to.opts, rpc.WithIdempotent())
	}
	if to.method.Unary && to.own == nil {
		return h.unary(ctx, call, to)
	}
	var stream grpc.ClientStream
	var err error
	if to.own != nil {
		stream, err = to.own.NewStream(ctx, to.method.Stream, to.method.Full, grpc.ForceCodecV2(passing{}))
	} else {
		stream, err = h.client.NewStream(ctx, to.method.Registry, to.method.Stream, to.method.Full, to.opts...)
	}
	if err != nil {
		return nil, err
	}
	if !to.method.Stream.ClientStreams {
		in, err := one(call)
		if err != nil {
			return nil, err
		}
		defer in.free() // not before the end: it may have to be sent again
		if err := stream.SendMsg(in); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return h.answers(call, to, stream)
	}
	pumped := make(chan struct{})
	go func() {
		defer close(pumped)
		if err := pump(call, stream); err != nil {
			cancel(err)
		}
	}()
	// What still receives ends before the request does, and is to blame for nothing.
	defer func() {
		cancel(nil)
		call.Close()
		<-pumped
	}()
	return h.answers(call, to, stream)
}

// one is the one message that a caller has to send.
func one(call *wire.Call) (*frame, error) {
	data, err := call.Receive()
	if errors.Is(err, io.EOF) {
		return nil, status.Error(codes.Internal, "the call came without its message")
	}
	if err != nil {
		return nil, err
	}
	return &frame{data}, nil
}

func (h *Handler) unary(ctx context.Context, call *wire.Call, to target) (metadata.MD, error) {
	in, err := one(call)
	if err != nil {
		return nil, err
	}
	defer in.free()
	var header, trailer metadata.MD
	out := &frame{}
	defer out.free()
	err = h.client.Call(ctx, h.client.NewRequest(to.method.Registry, to.method.Full, in), out, append(to.opts, rpc.WithHeader(&header), rpc.WithTrailer(&trailer))...)
	if err != nil {
		return trailer, err
	}
	call.Metadata(h.allowed(header))
	return trailer, call.Send(out.data, false)
}

// pump sends on what the caller sends. What it returns is the caller's doing.
func pump(call *wire.Call, stream grpc.ClientStream) error {
	for {
		data, err := call.Receive()
		if errors.Is(err, io.EOF) {
			_ = stream.CloseSend() // receiving tells what is wrong
			return nil
		}
		if err != nil {
			return blamed(err)
		}
		f := frame{data}
		err = stream.SendMsg(&f)
		f.free()
		if err != nil {
			return nil // receiving tells why
		}
	}
}

// blamed makes a fault of an error, for the cause of a context to say whose it is.
func blamed(err error) error {
	if fault.As(err) != nil {
		return err
	}
	return rpc.Fault(status.Convert(err))
}

// answers passes on what a node sends, and its end.
func (h *Handler) answers(call *wire.Call, to target, stream grpc.ClientStream) (metadata.MD, error) {
	// The caller may wait for the answer's beginning. Its error comes with the first message, from another node perhaps.
	if md, err := stream.Header(); err == nil && md != nil {
		call.Header(h.allowed(md))
	}
	for {
		out := &frame{}
		err := stream.RecvMsg(out)
		if errors.Is(err, io.EOF) {
			return stream.Trailer(), nil
		}
		if err != nil {
			return stream.Trailer(), err
		}
		err = call.Send(out.data, to.method.Stream.ServerStreams)
		out.free()
		if errors.Is(err, wire.ErrStalled) {
			return nil, fault.Wrap(err, fault.Canceled, "STALLED", "the caller took no byte for %v", h.cfg.Patience)
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.Canceled, "", "the caller left")
		}
		if !to.method.Stream.ServerStreams {
			return stream.Trailer(), nil // its status was read with its one message
		}
	}
}
