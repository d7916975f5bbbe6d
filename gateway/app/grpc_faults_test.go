package app_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"calotype/gateway/app"
)

func TestGRPCWhenANodeDies(t *testing.T) {
	s, one, conn := callsGateway(t, true)
	two := newStranger(t, s, "two", true)
	eventually(t, "both have work", func() bool {
		_, err := once(t.Context(), conn, "x")
		s.must(err)
		return one.calls.Load() > 0 && two.calls.Load() > 0
	})
	stream := streams(t, t.Context(), conn, "Both")
	out := &wrapperspb.BytesValue{}
	before := one.calls.Load()
	s.must(errors.Join(stream.SendMsg(wrapperspb.Bytes([]byte("x"))), stream.RecvMsg(out)))
	dies, lives := one, two
	if one.calls.Load() == before {
		dies, lives = two, one
	}
	// What may be repeated is; a stream in its middle is told.
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := once(t.Context(), conn, "x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	killed := time.Now()
	dies.Stop()
	err := stream.RecvMsg(out)
	if st := status.Convert(err); st.Code() != codes.Unavailable || len(st.Details()) == 0 {
		t.Errorf("the stream ended with %v %v", err, st.Details())
	}
	t.Logf("the stream's caller knew after %v", time.Since(killed))
	served := lives.calls.Load()
	eventually(t, "the other serves", func() bool { return lives.calls.Load() > served+100 })
	close(stop)
	all.Wait()
}

func TestGRPCDrain(t *testing.T) {
	s, _, conn := callsGateway(t, true, func(set *setup) { set.gateway.Drain.Timeout = 6 * time.Second })
	ends, endless := streams(t, t.Context(), conn, "Both"), streams(t, t.Context(), conn, "Both")
	out := &wrapperspb.BytesValue{}
	for _, stream := range []grpc.ClientStream{ends, endless} {
		s.must(errors.Join(stream.SendMsg(wrapperspb.Bytes([]byte("x"))), stream.RecvMsg(out)))
	}
	gone := make(chan time.Duration)
	go func() {
		began := time.Now()
		s.leave()
		gone <- time.Since(began)
	}()
	eventually(t, "it takes no connection", func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	s.must(errors.Join(ends.SendMsg(wrapperspb.Bytes([]byte("y"))), ends.RecvMsg(out), ends.CloseSend()))
	if err := ends.RecvMsg(out); !errors.Is(err, io.EOF) {
		t.Errorf("a stream that ends: %v", err)
	}
	err := endless.RecvMsg(out)
	st := status.Convert(err)
	if st.Code() != codes.Unavailable || len(st.Details()) != 2 || st.Details()[0].(*errdetails.ErrorInfo).GetReason() != "DRAINING" {
		t.Errorf("a stream that does not: %v %v", err, st.Details())
	}
	t.Logf("it was gone after %v", <-gone)
}

func TestGRPCBeyondTheLimitOfCalls(t *testing.T) {
	s, _, conn := callsGateway(t, true, func(set *setup) { set.gateway.GRPC.MaxCalls = 3 })
	for range 3 {
		stream := streams(t, t.Context(), conn, "Both")
		s.must(errors.Join(stream.SendMsg(wrapperspb.Bytes([]byte("x"))), stream.RecvMsg(&wrapperspb.BytesValue{})))
	}
	_, err := once(t.Context(), s.dial(), "x") // a connection has its own limit
	st := status.Convert(err)
	if st.Code() != codes.Unavailable || len(st.Details()) != 2 || st.Details()[0].(*errdetails.ErrorInfo).GetReason() != "OVERLOADED" {
		t.Errorf("got %v %v", err, st.Details())
	}
	if rsp, _ := s.get("/v1/greeter/hello?name=x"); rsp.StatusCode != 200 {
		t.Errorf("REST beside it: %d", rsp.StatusCode)
	}
}

// A client that takes no byte does not hold a call for ever.
func TestGRPCStalledClient(t *testing.T) {
	_, n, conn := callsGateway(t, true, func(set *setup) { set.gateway.Timeouts.Stall = 300 * time.Millisecond })
	down := streams(t, t.Context(), conn, "Down")
	if err := down.SendMsg(&wrapperspb.BytesValue{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.left:
	case <-time.After(20 * time.Second):
		t.Fatal("the node goes on")
	}
}

// Gateways know of nothing but the registry: any of them will do.
func TestGRPCThroughSeveralGateways(t *testing.T) {
	s, n, first := callsGateway(t, true)
	cfg := app.DefaultConfig()
	cfg.RPC.Listen, cfg.HTTP.Listen, cfg.Ops.Listen = "127.0.0.1:0", "127.0.0.1:0", ""
	another, err := app.New(cfg, s.host)
	s.must(err)
	s.run(another)
	s.url = "http://" + another.Addr()
	second := s.dial()
	s.routed(second, "stranger.v1.Echo", healthpb.HealthCheckResponse_SERVING)
	for _, conn := range []*grpc.ClientConn{first, second} {
		before := n.calls.Load()
		if _, err := once(context.Background(), conn, "x"); err != nil || n.calls.Load() != before+1 {
			t.Errorf("%v after %d calls", err, n.calls.Load()-before)
		}
	}
}
