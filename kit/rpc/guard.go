package rpc

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"calotype/kit/fault"
)

// guardUnary and guardStream stand around every handler of the server, native ones included: they count what is running, turn
// a panic into one failed call and an error into its status, and log what nobody else will.
func (s *Server) guardUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (rsp any, err error) {
	defer s.settle(ctx, info.FullMethod, &err)
	if native(info.FullMethod) {
		return handle(ctx, req)
	}
	s.running.Add(1)
	defer s.running.Add(-1)
	if s.shedder == nil {
		return handle(ctx, req)
	}
	permit, err := s.shedder.admit(ctx)
	if err != nil {
		if fault.ReasonOf(err) == ReasonOverloaded {
			s.turned(ctx, info.FullMethod)
		}
		return nil, err
	}
	err = errPanicked
	defer func() { s.shedder.done(permit, err) }()
	rsp, err = handle(ctx, req)
	return rsp, err
}

// errPanicked is what a handler that panics leaves behind; settle makes the answer.
var errPanicked = status.Error(codes.Canceled, "panic")

// turned counts a call that was turned away.
func (s *Server) turned(ctx context.Context, method string) {
	if s.cfg.Observe != nil {
		s.cfg.Observe(method, priorityOf(ctx))
	}
}

// native are health, reflection and a node's status: they tell of an overloaded node too, and are not what it has to do.
func native(method string) bool {
	return strings.HasPrefix(method, "/grpc.") || strings.HasPrefix(method, "/node.v1.")
}

func (s *Server) guardStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	if native(info.FullMethod) {
		// Watching health, or a reflection stream left open, must not hold the drain up.
		ctx, cancel := context.WithCancel(ss.Context())
		defer cancel()
		defer context.AfterFunc(s.draining, cancel)()
		defer s.settle(ctx, info.FullMethod, &err)
		return handle(srv, &endingStream{ServerStream: ss, ctx: ctx})
	}
	s.running.Add(1)
	defer s.running.Add(-1)
	defer s.settle(ss.Context(), info.FullMethod, &err)
	if s.shedder == nil {
		return handle(srv, ss)
	}
	if err := s.shedder.open(ss.Context()); err != nil {
		s.turned(ss.Context(), info.FullMethod)
		return err
	}
	defer s.shedder.close()
	return handle(srv, ss)
}

type endingStream struct {
	grpc.ServerStream
	ctx context.Context
}

// RecvMsg gives up with the context. The stream ends with its handler then, and with the stream what still receives.
func (s *endingStream) RecvMsg(m any) error {
	got := make(chan error, 1)
	go func() { got <- s.ServerStream.RecvMsg(m) }()
	select {
	case err := <-got:
		return err
	case <-s.ctx.Done():
		return status.Error(codes.Unavailable, "the node is leaving")
	}
}

func (s *endingStream) Context() context.Context { return s.ctx }

// settle must be deferred itself, for recover to see the panic.
func (s *Server) settle(ctx context.Context, method string, err *error) {
	if p := recover(); p != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "a handler panicked",
			slog.String("rpc.method", method), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		*err = status.Error(codes.Internal, "internal error")
		return
	}
	if *err == nil {
		return
	}
	st := Status(*err)
	switch st.Code() {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		s.log.LogAttrs(ctx, slog.LevelError, "a call failed",
			slog.String("rpc.method", method), slog.String("code", st.Code().String()), slog.String("error", (*err).Error()))
	}
	*err = st.Err()
}
