package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// server answers each connection with its own name, and then with what it is told.
type server struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newServer(t *testing.T, talk func(net.Conn)) *server {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			all.Go(func() {
				defer c.Close()
				talk(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		all.Wait()
	})
	return s
}

func (s *server) address() string { return s.Addr().String() }

// names says the server's address and sends back what comes.
func names(t *testing.T) *server {
	t.Helper()
	return newServer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, c.LocalAddr().String())
		_, _ = io.Copy(c, c)
	})
}

type stage struct {
	*Relay
	t     *testing.T
	slots []string
	dead  sync.Map // addresses that do not answer probes
}

func newStage(t *testing.T, slots int, refusal Refusal) *stage {
	t.Helper()
	s := &stage{t: t}
	s.Relay = New(Config{Connect: time.Second, Probe: 5 * time.Millisecond, Silence: time.Second, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(),
		Live: func(_ context.Context, address string) error {
			if _, dead := s.dead.Load(address); dead {
				return errors.New("no answer")
			}
			return nil
		}})
	var serving sync.WaitGroup
	var listeners []net.Listener
	for i := range slots {
		path := filepath.Join(t.TempDir(), "s")
		l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		listeners, s.slots = append(listeners, l), append(s.slots, path)
		serving.Go(func() {
			if err := s.Serve(l, i, slots, refusal); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		for _, l := range listeners {
			l.Close()
		}
		serving.Wait()
		s.Close()
	})
	return s
}

func (s *stage) connect(slot int) net.Conn {
	s.t.Helper()
	c, err := new(net.Dialer).DialContext(s.t.Context(), "unix", s.slots[slot])
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// who tells which server a new connection of a slot comes to.
func (s *stage) who(slot int) string {
	s.t.Helper()
	c := s.connect(slot)
	defer c.Close()
	var b [64]byte
	n, _ := c.Read(b[:])
	return string(b[:n])
}

func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			s.t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

func TestEveryNumberOfNodesGetsEqualShares(t *testing.T) {
	var all []string
	for range 5 {
		all = append(all, names(t).address())
	}
	s := newStage(t, 4, nil)
	for n := 1; n <= len(all); n++ {
		s.Set(all[:n])
		got := map[string]int{}
		for range 15 { // a multiple of all
			for slot := range 4 {
				got[s.who(slot)]++
			}
		}
		for _, a := range all[:n] {
			if got[a] != 60/n {
				t.Errorf("of %d nodes one got %d of 60 connections: %v", n, got[a], got)
			}
		}
	}
	s.Set(all[:2])
	for slot := range 4 {
		if here := s.who(slot); here != s.who(slot) || here == s.who((slot+1)%4) {
			t.Error("with two nodes, slots do not lead to one each by turns")
		}
	}
}

func TestWhoDoesNotAcceptIsPassedOver(t *testing.T) {
	well, gone := names(t), names(t)
	gone.Close()
	s := newStage(t, 2, Refusal("nobody"))
	if got := s.who(0); got != "nobody" {
		t.Errorf("without a node: %q", got)
	}
	s.Set([]string{well.address(), gone.address()})
	for range 10 {
		for slot := range 2 {
			if got := s.who(slot); got != well.address() {
				t.Fatalf("got to %q", got)
			}
		}
	}
	s.Set(nil) // is no news
	if got := s.who(0); got != well.address() {
		t.Errorf("after an empty list: %q", got)
	}
	well.Close()
	if got := s.who(0); got != "nobody" {
		t.Errorf("when nobody accepts: %q", got)
	}
}

// A node that answers no probe gets no new connection; those it has are cut only when nothing comes from it at all.
func TestASilentNode(t *testing.T) {
	talks := make(chan struct{})
	chatty := newServer(t, func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, "."); err != nil {
				return
			}
			select {
			case <-talks:
				_, _ = io.Copy(io.Discard, c)
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	other := names(t)
	s := newStage(t, 1, nil)
	s.Set([]string{chatty.address()})
	c := s.connect(0)
	var one [1]byte
	if _, err := io.ReadFull(c, one[:]); err != nil {
		t.Fatal(err)
	}
	s.dead.Store(chatty.address(), true)
	s.Set([]string{chatty.address(), other.address()})
	s.eventually("it is doubted", func() bool { _, well := s.Known(); return well == 1 })
	for range 4 {
		if got := s.who(0); got != other.address() {
			t.Fatalf("a doubtful node gets work: %q", got)
		}
	}
	began := time.Now()
	for time.Since(began) < 1500*time.Millisecond { // more than the silence
		if _, err := io.ReadFull(c, one[:]); err != nil {
			t.Fatalf("a node that sends was cut: %v", err)
		}
	}
	close(talks)
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the cut connection ends with %v", err)
	}
	s.dead.Delete(chatty.address())
	s.eventually("it is trusted again", func() bool { _, well := s.Known(); return well == 2 })
}

// Gateways of another datacenter get connections while none of one's own is well.
func TestTheNextDatacenter(t *testing.T) {
	own, far := names(t), names(t)
	s := newStage(t, 2, nil)
	s.Set(nil, []string{far.address()}, []string{"192.0.2.1:1"})
	if got := s.who(0); got != far.address() {
		t.Errorf("while there is none of one's own: %q", got)
	}
	s.Set([]string{own.address()}, []string{far.address()})
	for slot := range 2 {
		if got := s.who(slot); got != own.address() {
			t.Errorf("with one's own: %q", got)
		}
	}
	s.dead.Store(own.address(), true)
	s.eventually("the other gets connections", func() bool { return s.who(0) == far.address() })
	s.dead.Delete(own.address())
	s.eventually("one's own gets them again", func() bool { return s.who(0) == own.address() })
	own.Close()
	if got := s.who(0); got != far.address() {
		t.Errorf("when one's own does not accept: %q", got)
	}
}

// Who has left gets nothing new; what is under way ends by itself, and the node comes back as if it had not been away.
func TestLeavingAndComingBack(t *testing.T) {
	a, b := names(t), names(t)
	s := newStage(t, 1, nil)
	s.Set([]string{a.address()})
	c := s.connect(0)
	buffer := make([]byte, 64)
	n, err := c.Read(buffer)
	if err != nil || string(buffer[:n]) != a.address() {
		t.Fatal(err)
	}
	s.Set([]string{b.address()})
	if got := s.who(0); got != b.address() {
		t.Errorf("new ones go to %q", got)
	}
	if _, err := io.WriteString(c, "still"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(buffer); err != nil || string(buffer[:n]) != "still" {
		t.Errorf("what is under way: %q, %v", buffer[:n], err)
	}
	s.Set([]string{a.address()})
	if got := s.who(0); got != a.address() {
		t.Errorf("back again, new ones go to %q", got)
	}
	s.Set([]string{b.address()})
	c.Close()
	s.eventually("it is forgotten", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.nodes[a.address()] == nil
	})
}

// An answer arrives whole though its sender does not read what is sent to it, and who sends is not held up.
func TestAnAnswerBeforeAllWasRead(t *testing.T) {
	answer, over := make([]byte, 300<<10), make(chan struct{})
	early := newServer(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 10))
		_, _ = c.Write(answer)
		_ = c.(*net.TCPConn).CloseWrite()
		<-over
	})
	defer close(over)
	s := newStage(t, 1, nil)
	s.Set([]string{early.address()})
	for range 10 {
		c := s.connect(0)
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(make([]byte, 4<<20))
			sent <- err
		}()
		if n, err := io.Copy(io.Discard, c); err != nil || n != int64(len(answer)) {
			t.Fatalf("%d of %d bytes came, %v", n, len(answer), err)
		}
		c.Close()
		<-sent
	}
}
