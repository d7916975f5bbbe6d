package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	greeterv1 "calotype/proto/greeter/v1"
	imagev1 "calotype/proto/image/v1"
	nodev1 "calotype/proto/node/v1"
	storagev1 "calotype/proto/storage/v1"
)

// callsGateway is a stage with a stranger's service, and a client of the gateway.
func callsGateway(t *testing.T, described bool, change ...func(*setup)) (*stage, *stranger, *grpc.ClientConn) {
	t.Helper()
	var n *stranger
	s := newStage(t, append(change, func(set *setup) { set.before = func(s *stage) { n = newStranger(t, s, "one", described) } })...)
	conn := s.dial()
	s.routed(conn, "stranger.v1.Echo", healthpb.HealthCheckResponse_SERVING)
	return s, n, conn
}

func once(ctx context.Context, conn *grpc.ClientConn, in string, opts ...grpc.CallOption) (string, error) {
	out := &wrapperspb.BytesValue{}
	err := conn.Invoke(ctx, echo+"Once", wrapperspb.Bytes([]byte(in)), out, opts...)
	return string(out.GetValue()), err
}

func streams(t *testing.T, ctx context.Context, conn *grpc.ClientConn, method string, opts ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: method != "Down", ServerStreams: method != "Up"}, echo+method, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// Any registered service is reached, one too that tells nothing of itself, whether it was there before the gateway or comes later.
func TestGRPCReachesAnyService(t *testing.T) {
	for _, described := range []bool{true, false} {
		s := newStage(t, func(set *setup) {
			if described {
				set.before = func(s *stage) { newStranger(t, s, "one", described) }
			}
		})
		if !described {
			newStranger(t, s, "one", described)
		}
		conn := s.dial()
		s.routed(conn, "stranger.v1.Echo", healthpb.HealthCheckResponse_SERVING)
		if got, err := once(t.Context(), conn, "hello"); err != nil || got != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
		if got, err := once(t.Context(), conn, strings.Repeat("x", 3<<20), grpc.UseCompressor(gzip.Name)); err != nil || len(got) != 3<<20 {
			t.Fatalf("compressed: %d bytes, %v", len(got), err)
		}
		down := streams(t, t.Context(), conn, "Down")
		err := down.SendMsg(wrapperspb.Bytes(make([]byte, 50)))
		n, out := 0, &wrapperspb.BytesValue{}
		for ; err == nil; n++ {
			err = down.RecvMsg(out)
		}
		if !errors.Is(err, io.EOF) || n != 51 || len(out.GetValue()) != 64<<10 {
			t.Errorf("%d messages down, %v", n-1, err)
		}
		both := streams(t, t.Context(), conn, "Both")
		if md, err := both.Header(); err != nil || len(md["x-request-id"]) != 1 || len(md["x-told"]) != 0 {
			t.Errorf("before anything was sent: %v, %v", md, err)
		}
		for _, word := range []string{"a", "", strings.Repeat("c", 100<<10)} {
			if err := both.SendMsg(wrapperspb.Bytes([]byte(word))); err != nil {
				t.Fatal(err)
			}
			if err := both.RecvMsg(out); err != nil || string(out.GetValue()) != word {
				t.Fatalf("%.10q came back as %.10q, %v", word, out.GetValue(), err)
			}
		}
		if err := errors.Join(both.CloseSend(), both.RecvMsg(out)); !errors.Is(err, io.EOF) {
			t.Errorf("the end is %v", err)
		}
		want := []string{"greeter.v1.Greeter", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "image.v1.Batches", "image.v1.Images",
			"image.v1.Jobs", "image.v1.Transformer", "image.v1.Webhooks", "storage.v1.Storage", "stranger.v1.Echo"}
		if got := services(t, conn); !slices.Equal(got, want) {
			t.Errorf("listed %v", got)
		}
	}
}

func TestGRPCOfTheContract(t *testing.T) {
	s := newStage(t)
	conn := s.dial()
	if out, err := greeterv1.NewGreeterClient(conn).Hello(t.Context(), &greeterv1.HelloRequest{Name: "Ada"}); err != nil || out.GetMessage() != "Hello, Ada" {
		t.Errorf("%v, %v", out, err)
	}
	greetings, err := greeterv1.NewGreeterClient(conn).Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: "Ada", Count: 5})
	n := 0
	for ; err == nil; n++ {
		_, err = greetings.Recv()
	}
	if n != 6 || !errors.Is(err, io.EOF) {
		t.Errorf("%d greetings, %v", n-1, err)
	}
	_, err = imagev1.NewImagesClient(conn).Get(t.Context(), &imagev1.GetImageRequest{Id: "img_none"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("an image that is not there: %v", err)
	}
}

func TestGRPCErrorsAndMetadata(t *testing.T) {
	s, n, conn := callsGateway(t, true, func(set *setup) {
		set.gateway.HTTP.ForwardHeaders, set.gateway.Tracing.Sampler = []string{"X-Told", "X-Told-Bin"}, "none"
	})
	var trailer, header metadata.MD
	_, err := once(t.Context(), conn, "fail", grpc.Trailer(&trailer))
	st := status.Convert(err)
	if st.Code() != codes.Aborted || st.Message() != "nö 100%" || len(st.Details()) != 2 || st.Details()[0].(*errdetails.ErrorInfo).GetReason() != "STRANGE" {
		t.Errorf("got %v %v", st, st.Details())
	}
	if len(trailer["x-told"]) != 1 || len(trailer["x-secret"]) != 0 {
		t.Errorf("trailer %v", trailer)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-told", "a", "x-told", "b", "x-told-bin", "\x01\xfe", "authorization", "Bearer secret", "cookie", "c",
		"x-priority", "interactive", "idempotency-key", "k1", "x-request-id", "request-0123", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, both := range []bool{false, true} {
		header, trailer = nil, nil
		if !both {
			_, err = once(ctx, conn, "metadata", grpc.Header(&header), grpc.Trailer(&trailer))
		} else {
			stream := streams(t, ctx, conn, "Both")
			out := &wrapperspb.BytesValue{}
			err = errors.Join(stream.SendMsg(wrapperspb.Bytes([]byte("metadata"))), stream.RecvMsg(out), stream.CloseSend())
			header, _ = stream.Header()
			_ = stream.RecvMsg(out)
			trailer = stream.Trailer()
		}
		s.must(err)
		seen := *n.seen.Load()
		if !slices.Equal(seen["x-told"], []string{"a", "b"}) || !slices.Equal(seen["x-told-bin"], []string{"\x01\xfe"}) || !slices.Equal(seen["idempotency-key"], []string{"k1"}) ||
			!slices.Equal(seen["x-request-id"], []string{"request-0123"}) || len(seen["traceparent"]) != 1 {
			t.Errorf("the node saw %v", seen)
		}
		for key := range seen {
			switch key {
			case ":authority", "content-type", "user-agent", "x-told", "x-told-bin", "idempotency-key", "x-request-id", "traceparent", "tracestate", "uber-trace-id", "grpc-accept-encoding":
			default:
				t.Errorf("%s reached the node", key)
			}
		}
		if !both && (!slices.Equal(header["x-told"], []string{"at once"}) || !slices.Equal(header["x-told-bin"], []string{"\x00\xff"})) ||
			len(header["x-secret"]) != 0 || !slices.Equal(header["x-request-id"], []string{"request-0123"}) {
			t.Errorf("header %v", header)
		}
		if !slices.Equal(trailer["x-told"], []string{"in the end"}) || len(trailer["x-secret"]) != 0 {
			t.Errorf("trailer %v", trailer)
		}
	}
}

func TestGRPCThatGoesNowhere(t *testing.T) {
	s, n, conn := callsGateway(t, true, func(set *setup) {
		set.gateway.GRPC.Services = append(set.gateway.GRPC.Services, "!image.v1.Transformer")
	})
	invoke := func(method string) error {
		return conn.Invoke(t.Context(), method, &wrapperspb.BytesValue{}, &wrapperspb.BytesValue{})
	}
	for _, c := range []struct {
		method string
		code   codes.Code
		text   string
	}{
		{"/nobody.v1.Nothing/Do", codes.Unimplemented, "stranger.v1.Echo"},
		{echo + "Twice", codes.Unimplemented, "it has Once, Down, Up, Both"},
		{"/image.v1.Transformer/Inspect", codes.Unimplemented, "no service"},
		{nodev1.Nodes_Status_FullMethodName + "x", codes.Unimplemented, "no service"},
		{"/grpc.health.v1.Health/Heal", codes.Unimplemented, "no method"},
		{storagev1.Storage_Delete_FullMethodName, codes.PermissionDenied, "not be called from outside"},
	} {
		if err := invoke(c.method); status.Code(err) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.method, err)
		}
	}
	// Gateways ask each other how they are; who comes through a proxy may not.
	err := conn.Invoke(t.Context(), nodev1.Nodes_Status_FullMethodName, &nodev1.StatusRequest{}, &nodev1.StatusResponse{})
	outside := conn.Invoke(metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", "203.0.113.5"), nodev1.Nodes_Status_FullMethodName, &nodev1.StatusRequest{}, &nodev1.StatusResponse{})
	if err != nil || status.Code(outside) != codes.Unimplemented {
		t.Errorf("a node's status: %v inside, %v outside", err, outside)
	}
	service := mustService(t, s, "stranger")
	s.must(s.host.Registry.Deregister(service))
	n.Stop()
	s.routed(conn, "stranger.v1.Echo", healthpb.HealthCheckResponse_NOT_SERVING)
	_, err = once(t.Context(), conn, "x")
	st := status.Convert(err)
	if st.Code() != codes.Unavailable || len(st.Details()) != 1 || st.Details()[0].(*errdetails.RetryInfo).GetRetryDelay().AsDuration() <= 0 {
		t.Errorf("without a node: %v %v", err, st.Details())
	}
}

func TestGRPCDeadlinesAndCallersWhoLeave(t *testing.T) {
	_, n, conn := callsGateway(t, true)
	for arrived := false; !arrived; { // on a busy machine the time may be over before the node hears of the call
		before := n.calls.Load()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		_, err := once(ctx, conn, "wait")
		cancel()
		if status.Code(err) != codes.DeadlineExceeded {
			t.Fatalf("got %v", err)
		}
		knew := time.Since(began)
		if arrived = n.calls.Load() > before; arrived {
			<-n.left
			t.Logf("200 ms: the caller knew after %v, the node before %v", knew, time.Since(began))
		}
	}
	if got := time.Duration(n.within.Load()); got > 195*time.Millisecond {
		t.Errorf("the node had %v, its caller 200 ms", got)
	}
	for _, method := range []string{"Once", "Both", "Down"} {
		ctx, leave := context.WithCancel(t.Context())
		before := n.calls.Load() + n.moved.Load()
		stream := streams(t, ctx, conn, method)
		in := "wait"
		if method == "Down" {
			in = ""
		}
		if err := stream.SendMsg(wrapperspb.Bytes([]byte(in))); err != nil {
			t.Fatal(err)
		}
		if method != "Both" {
			_ = stream.CloseSend()
		}
		eventually(t, "the call arrives", func() bool { return n.calls.Load()+n.moved.Load() > before })
		for len(n.left) > 0 { // of a call that came late
			<-n.left
		}
		left := time.Now()
		leave()
		select {
		case <-n.left:
			t.Logf("%s: the caller left, and its node knew after %v", method, time.Since(left))
		case <-time.After(10 * time.Second):
			t.Fatalf("%s outlives its caller", method)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again, end := time.NewTicker(2*time.Millisecond), time.After(20*time.Second)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestGRPCMessagesBeyondTheLimit(t *testing.T) {
	_, n, conn := callsGateway(t, true)
	for _, opts := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
		began := time.Now()
		_, err := once(t.Context(), conn, string(make([]byte, 64<<20)), opts...)
		t.Logf("64 MiB refused after %v", time.Since(began))
		st := status.Convert(err)
		if st.Code() != codes.ResourceExhausted || len(st.Details()) != 1 || st.Details()[0].(*errdetails.ErrorInfo).GetReason() != "MESSAGE_TOO_LARGE" || !strings.Contains(st.Message(), "4194304") {
			t.Errorf("got %v %v", err, st.Details())
		}
	}
	stream := streams(t, t.Context(), conn, "Both")
	_ = stream.SendMsg(wrapperspb.Bytes(make([]byte, 5<<20)))
	if err := stream.RecvMsg(&wrapperspb.BytesValue{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("in a stream: %v", err)
	}
	if n.calls.Load() != 0 {
		t.Error("one of them arrived")
	}
	if _, err := once(t.Context(), conn, "small"); err != nil {
		t.Errorf("after them: %v", err)
	}
}

// Who reads slowly is sent no more than windows hold, whichever side it is.
func TestGRPCSlowReaders(t *testing.T) {
	_, n, conn := callsGateway(t, true)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	down := streams(t, ctx, conn, "Down")
	if err := down.SendMsg(&wrapperspb.BytesValue{}); err != nil {
		t.Fatal(err)
	}
	if got := still(t, n.moved.Load); got > 8<<20 {
		t.Errorf("the node sent %d bytes to a client that reads none", got)
	}
	up := streams(t, ctx, conn, "Up")
	sent := make(chan error, 1)
	var moved = &n.moved
	moved.Store(0)
	go func() {
		for range 512 {
			if err := up.SendMsg(wrapperspb.Bytes(make([]byte, 64<<10))); err != nil {
				sent <- err
				return
			}
			moved.Add(64 << 10)
		}
		sent <- up.CloseSend()
	}()
	if got := still(t, moved.Load); got > 8<<20 {
		t.Errorf("the client sent %d bytes to a node that reads none", got)
	}
	close(n.resume)
	out := &wrapperspb.BytesValue{}
	if err := errors.Join(<-sent, up.RecvMsg(out)); err != nil || !bytes.Equal(out.GetValue(), big(32<<20)) {
		t.Errorf("%s arrived, %v", out.GetValue(), err)
	}
}

// still waits until a figure does not change any more.
func still(t *testing.T, figure func() int64) int64 {
	t.Helper()
	last, same := int64(0), 0
	eventually(t, "it stands still", func() bool {
		if now := figure(); now != last || now == 0 {
			last, same = now, 0
		} else {
			same++
		}
		return same > 150
	})
	t.Logf("it stands still at %d KiB", last>>10)
	return last
}

func TestGRPCNeedsHTTP2(t *testing.T) {
	s := newStage(t)
	rsp, body := s.post("/greeter.v1.Greeter/Hello", "", "Content-Type", "application/grpc")
	s.wantProblem(rsp, body, 400, "GRPC_NEEDS_HTTP2")
	var clear http.Protocols
	clear.SetUnencryptedHTTP2(true)
	h2c := &http.Transport{Protocols: &clear}
	t.Cleanup(h2c.CloseIdleConnections)
	got, err := h2c.RoundTrip(s.request("GET", "/v1/greeter/hello?name=Ada", nil))
	s.must(err)
	defer got.Body.Close()
	if text, err := io.ReadAll(got.Body); got.ProtoMajor != 2 || got.StatusCode != 200 || err != nil || !strings.Contains(string(text), "Hello, Ada") {
		t.Errorf("REST over h2c: %s %d %s, %v", got.Proto, got.StatusCode, text, err)
	}
	for timeout, want := range map[string]codes.Code{"1x": codes.InvalidArgument, "0n": codes.DeadlineExceeded, "99999999H": codes.OK, "": codes.OK} {
		r := s.request("POST", "/greeter.v1.Greeter/Hello", bytes.NewReader(framed(&greeterv1.HelloRequest{Name: "x"})), "Content-Type", "application/grpc+proto", "Te", "trailers", "Grpc-Timeout", timeout)
		rsp, err := h2c.RoundTrip(r)
		s.must(err)
		_, _ = io.Copy(io.Discard, rsp.Body)
		_ = rsp.Body.Close()
		code := rsp.Trailer.Get("Grpc-Status") + rsp.Header.Get("Grpc-Status")
		if code != map[codes.Code]string{codes.OK: "0", codes.InvalidArgument: "3", codes.DeadlineExceeded: "4"}[want] {
			t.Errorf("timeout %q: status %q", timeout, code)
		}
	}
}

func framed(m proto.Message) []byte {
	b, _ := proto.Marshal(m)
	return append([]byte{0, 0, 0, 0, byte(len(b))}, b...)
}
