package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"calotype/kit/registration"
)

// Start serves and registers. A registry that does not answer does not fail it: registering is tried again until it succeeds.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return nil
	}
	if s.draining.Err() != nil {
		return errors.New("rpc: the server has stopped")
	}
	o := s.opts
	locate := func() (string, error) { return registration.Address(o.Advertise, s.Addr(), o.Registry) }
	address, err := locate()
	if err != nil {
		return fmt.Errorf("rpc: set server.Advertise: %w", err)
	}
	s.started = true
	s.name, s.wrappers = s.opts.Name, s.opts.HdlrWrappers
	s.SetServing(true)
	go func() {
		defer close(s.served)
		if err := s.grpc.Serve(s.lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			s.serveErr = fmt.Errorf("rpc: serving %s: %w", s.name, err)
			s.log.Error("the server ended", slog.String("error", err.Error()))
		}
	}()
	s.reg = registration.Start(registration.Config{Registry: o.Registry, TTL: o.RegisterTTL, Interval: o.RegisterInterval, Check: o.RegisterCheck, Address: locate, Log: s.log},
		registered(o, s.cfg.Keepalive.MinClientPing, address, s.endpoints, s.announced()))
	return nil
}

// Done is closed when nothing is served any more; Err says why when it was not asked for.
func (s *Server) Done() <-chan struct{} { return s.served }

// Err is what ended the serving, nil after Drain or Stop. It may be asked once Done is closed.
func (s *Server) Err() error { return s.serveErr }

// Running is the number of calls and streams being handled, without those that ask how the node is.
func (s *Server) Running() int { return int(s.running.Load()) }

// Registered reports whether the registry knows the server, as far as its last answer told.
func (s *Server) Registered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reg != nil && s.reg.Known()
}

// Heard is when the registry last took the server, zero for never.
func (s *Server) Heard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reg == nil {
		return time.Time{}
	}
	return s.reg.Heard()
}

// Deregister takes the server out of the registry and keeps it out. Calls are still served: the news needs its time to travel.
func (s *Server) Deregister(ctx context.Context) error {
	s.mu.Lock()
	reg := s.reg
	s.mu.Unlock()
	if reg == nil {
		return nil
	}
	return reg.End(ctx)
}

// Draining is closed when the drain begins: handlers of endless streams end them then, with Unavailable.
func (s *Server) Draining() <-chan struct{} { return s.draining.Done() }

// Drain refuses new calls and finishes those that run. When ctx ends first, they are cut off and the error says how many. A
// server that never started just closes its listener.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	started := s.started
	s.started = true // nothing starts it any more
	s.mu.Unlock()
	s.SetServing(false)
	s.drain()
	if !started {
		s.grpc.Stop()
		close(s.served)
		return s.lis.Close()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		if n := s.running.Load(); n > 0 {
			err = fmt.Errorf("rpc: %d calls were cut off: %w", n, ctx.Err())
		}
		s.grpc.Stop()
		<-done
	}
	<-s.served
	return err
}

// Stop deregisters and drains, waiting as long as ServerConfig.Stop says. It may be called more than once.
func (s *Server) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Stop)
	defer cancel()
	return errors.Join(s.Deregister(ctx), s.Drain(ctx))
}
