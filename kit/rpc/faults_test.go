package rpc_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// TestMain makes the test binary a node of its own when told so.
func TestMain(m *testing.M) {
	if id := os.Getenv("RPC_TEST_NODE"); id != "" {
		runNode(id)
		return
	}
	os.Exit(m.Run())
}

// runNode serves until its standard input ends, and writes its address and then every execution of Append.
func runNode(id string) {
	s, err := rpc.NewServer(rpc.ServerConfig{Log: quiet()}, server.Name("node"), server.Id(id), server.Address("127.0.0.1:0"),
		server.Registry(registry.NewMemoryRegistry()))
	if err != nil {
		panic(err)
	}
	fail := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	fail(greets(&greeter{id: id})(s))
	fail(echoes(&Echo{appended: func(v string) { fmt.Println("did", v) }})(s))
	fail(s.Start())
	fmt.Println("at", s.Addr())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fail(s.Drain(ctx))
}

// process is a node in a process of its own.
type process struct {
	id, addr string
	cmd      *exec.Cmd
	stdin    *os.File
	mu       sync.Mutex
	did      map[string]int
	read     chan struct{}
}

func startNode(t *testing.T, id string) *process {
	t.Helper()
	p := &process{id: id, cmd: exec.Command(os.Args[0]), did: map[string]int{}, read: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "RPC_TEST_NODE="+id)
	p.cmd.Stderr = os.Stderr
	in, inw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdin, p.stdin = in, inw
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	t.Cleanup(func() { _ = inw.Close(); _ = p.cmd.Process.Kill(); <-p.read; _ = p.cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "at ") {
		t.Fatalf("node %s said %q", id, lines.Text())
	}
	p.addr = lines.Text()[3:]
	go func() {
		defer close(p.read)
		for lines.Scan() {
			if v, ok := strings.CutPrefix(lines.Text(), "did "); ok {
				p.mu.Lock()
				p.did[v]++
				p.mu.Unlock()
			}
		}
	}()
	return p
}

func (p *process) service() *registry.Service {
	return &registry.Service{Name: "node", Version: "1", Nodes: []*registry.Node{{Id: p.id, Address: p.addr}}}
}

// cluster starts n processes; the test is their registry's hand, so a killed one stays listed, as it would until its TTL ends.
func startNodes(t *testing.T, n int) (registry.Registry, []*process) {
	t.Helper()
	reg := registry.NewMemoryRegistry()
	var list []*process
	for i := range n {
		p := startNode(t, fmt.Sprint("n", i))
		if err := reg.Register(p.service()); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return reg, list
}

// load calls as fast as it can from several goroutines until stop, and tells how it went.
type load struct {
	calls, failed atomic.Int64
	slowest       atomic.Int64
	stop          context.CancelFunc
	wait          sync.WaitGroup
	firstError    atomic.Pointer[error]
}

func startLoad(t *testing.T, callers int, call func(ctx context.Context, n int64) error) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	for range callers {
		l.wait.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				n := l.calls.Add(1)
				if err := call(context.Background(), n); err != nil {
					l.failed.Add(1)
					l.firstError.CompareAndSwap(nil, &err)
				}
				d := int64(time.Since(began))
				for old := l.slowest.Load(); d > old && !l.slowest.CompareAndSwap(old, d); old = l.slowest.Load() {
				}
			}
		})
	}
	t.Cleanup(func() { cancel(); l.wait.Wait() })
	return l
}

// more waits until n further calls were made.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	want := l.calls.Load() + n
	eventually(t, fmt.Sprint(n, " more calls"), func() bool { return l.calls.Load() >= want })
}

func (l *load) end(t *testing.T, what string) {
	t.Helper()
	l.stop()
	l.wait.Wait()
	t.Logf("%s: %d calls, %d failed, slowest %v", what, l.calls.Load(), l.failed.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond))
}

func TestKilledNode(t *testing.T) {
	reg, list := startNodes(t, 3)
	c := newClient(t, reg)
	g := greeterv1.NewGreeterService("node", c)
	l := startLoad(t, 8, func(ctx context.Context, n int64) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if n%4 == 0 {
			s, err := g.Greetings(ctx, &greeterv1.GreetingsRequest{Count: 1})
			if err != nil {
				return err
			}
			return drainStream(s.RecvMsg)
		}
		_, err := g.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
		return err
	})
	l.more(t, 500)
	_ = list[0].cmd.Process.Kill()
	l.more(t, 1000)
	_ = list[1].cmd.Process.Signal(syscall.SIGKILL)
	l.more(t, 1000)
	l.end(t, "kill -9 of two of three")
	if e := l.firstError.Load(); e != nil {
		t.Errorf("an idempotent call failed: %v", *e)
	}
}

func TestDrainedNodes(t *testing.T) {
	reg, list := startNodes(t, 3)
	c := newClient(t, reg)
	appendTo := func(ctx context.Context, n int64) error {
		req := c.NewRequest("node", "/rpctest.v1.Echo/Append", wrapperspb.String(fmt.Sprint(n)))
		return c.Call(ctx, req, &wrapperspb.StringValue{})
	}
	l := startLoad(t, 8, appendTo)
	l.more(t, 500)
	// The registry still lists the node when it drains: GOAWAY alone must do, also for what may not be repeated.
	_ = list[0].stdin.Close()
	l.more(t, 1000)
	_ = list[1].stdin.Close()
	l.more(t, 1000)
	l.end(t, "orderly leave of two of three")
	if e := l.firstError.Load(); e != nil {
		t.Errorf("a call failed: %v", *e)
	}
	_ = list[2].stdin.Close()
	checkOnce(t, list, l.calls.Load(), 0)
}

func TestNotRepeated(t *testing.T) {
	reg, list := startNodes(t, 2)
	c := newClient(t, reg)
	var mu sync.Mutex
	failed := map[string]error{}
	l := startLoad(t, 16, func(ctx context.Context, n int64) error {
		v := fmt.Sprint(n)
		err := c.Call(ctx, c.NewRequest("node", "/rpctest.v1.Echo/Append", wrapperspb.String(v)), &wrapperspb.StringValue{})
		if err != nil {
			mu.Lock()
			failed[v] = err
			mu.Unlock()
		}
		return err
	})
	l.more(t, 500)
	_ = list[0].cmd.Process.Kill()
	l.more(t, 1000)
	l.end(t, "kill -9 under calls that must not be repeated")
	_ = list[1].stdin.Close()
	checkOnce(t, list, l.calls.Load(), len(failed))
	for v, err := range failed {
		if status.Code(err) != codes.Unavailable || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("call %s failed as %v", v, err)
		}
	}
	if len(failed) > 16 {
		t.Errorf("%d calls failed, more than could have been running", len(failed))
	}
}

// checkOnce compares what the nodes say they did with the calls made, of which some may have failed.
func checkOnce(t *testing.T, list []*process, calls int64, mayMiss int) {
	t.Helper()
	times := map[string]int{}
	for _, p := range list {
		<-p.read
		for v, n := range p.did {
			times[v] += n
		}
	}
	for v, n := range times {
		if n > 1 {
			t.Errorf("call %s was executed %d times", v, n)
		}
	}
	if missing := int(calls) - len(times); missing > mayMiss {
		t.Errorf("%d of %d calls were not executed, of which %d were told so", missing, calls, mayMiss)
	}
}

func TestAllDeadAndBack(t *testing.T) {
	reg, list := startNodes(t, 2)
	g := greeterv1.NewGreeterService("node", newClient(t, reg))
	if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		_ = p.cmd.Process.Kill()
	}
	eventually(t, "the news", func() bool {
		_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{})
		return err != nil
	})
	began := time.Now()
	_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("with every node dead a call gave %v", err)
	}
	t.Logf("with every node dead a call is refused after %v", time.Since(began))
	p := startNode(t, "fresh")
	began = time.Now()
	if err := reg.Register(p.service()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "calls succeed again", func() bool {
		_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{})
		return err == nil
	})
	t.Logf("recovery took %v", time.Since(began))
}

func TestRetriesFollowTheDeclaration(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var hello, appended atomic.Int64
	for _, id := range []string{"a", "b", "c"} {
		serve(t, reg, proto.Greeter, id, greets(&greeter{hook: func(_ context.Context, name string) error {
			hello.Add(1)
			return fault.New(fault.Unavailable, "BUSY", "not now")
		}}))
		serve(t, reg, "echo", id, func(s *rpc.Server) error {
			echo()
			return s.Handle(s.NewHandler(&refusing{Echo: Echo{appended: func(string) { appended.Add(1) }}}, rpc.ServiceName("rpctest.v1.Echo")))
		})
	}
	call := func(c *rpc.Client, opts ...client.CallOption) error {
		return c.Call(t.Context(), c.NewRequest("echo", "/rpctest.v1.Echo/Append", wrapperspb.String("x")), &wrapperspb.StringValue{}, opts...)
	}
	c := newClient(t, reg)
	for what, try := range map[string]struct {
		count *atomic.Int64
		want  int64
		call  func() error
	}{
		"declared": {&hello, 4, func() error {
			_, err := greeterv1.NewGreeterService(proto.Greeter, c).Hello(t.Context(), &greeterv1.HelloRequest{})
			return err
		}},
		"declared, fewer": {&hello, 2, func() error {
			_, err := greeterv1.NewGreeterService(proto.Greeter, c).Hello(t.Context(), &greeterv1.HelloRequest{}, client.WithRetries(1))
			return err
		}},
		"not declared":     {&appended, 1, func() error { return call(c) }},
		"declared by key":  {&appended, 4, func() error { return call(c, rpc.WithIdempotencyKey("k")) }},
		"declared by call": {&appended, 4, func() error { return call(c, rpc.WithIdempotent()) }},
	} {
		try.count.Store(0)
		if err := try.call(); fault.ReasonOf(err) != "BUSY" {
			t.Errorf("%s: %v", what, err)
		}
		if n := try.count.Load(); n != try.want {
			t.Errorf("%s: tried %d times, want %d", what, n, try.want)
		}
	}
}

type refusing struct{ Echo }

func (r *refusing) Append(ctx context.Context, in, out *wrapperspb.StringValue) error {
	_ = r.Echo.Append(ctx, in, out)
	return fault.New(fault.Unavailable, "BUSY", "not now")
}

func TestBudgetEndsRetries(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var tries atomic.Int64
	for _, id := range []string{"a", "b"} {
		serve(t, reg, proto.Greeter, id, greets(&greeter{hook: func(context.Context, string) error {
			tries.Add(1)
			return fault.New(fault.Unavailable, "", "not now")
		}}))
	}
	g := greeterv1.NewGreeterService(proto.Greeter, newClient(t, reg))
	const calls = 200
	for range calls {
		_, _ = g.Hello(t.Context(), &greeterv1.HelloRequest{})
	}
	// A fifth of the calls and the thirty that ten seconds always allow.
	if extra := tries.Load() - calls; extra > calls/5+30 || extra < 30 {
		t.Errorf("%d calls made %d retries", calls, extra)
	}
}

// TestFrozenNode stops a process: it keeps its connection and answers nothing.
func TestFrozenNode(t *testing.T) {
	reg, list := startNodes(t, 3)
	c := newClient(t, reg)
	g := greeterv1.NewGreeterService("node", c)
	l := startLoad(t, 4, func(ctx context.Context, n int64) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if n%4 == 0 {
			s, err := g.Greetings(ctx, &greeterv1.GreetingsRequest{Count: 1})
			if err != nil {
				return err
			}
			return drainStream(s.RecvMsg)
		}
		_, err := g.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
		return err
	})
	l.more(t, 500)
	if err := list[0].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.more(t, 3000)
	if err := list[0].cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var back atomic.Bool
	eventually(t, "the thawed node is used", func() bool {
		r, err := g.Hello(t.Context(), &greeterv1.HelloRequest{})
		if err == nil && r.GetNode().GetId() == list[0].id {
			back.Store(true)
		}
		return back.Load()
	})
	l.end(t, "one of three frozen")
	if e := l.firstError.Load(); e != nil {
		t.Errorf("an idempotent call failed: %v", *e)
	}
	if d := time.Duration(l.slowest.Load()); d > 3*time.Second {
		t.Errorf("a call took %v: it waited for its deadline", d)
	}
}
