package rpc

import (
	"net"
	"testing"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"golang.org/x/net/http2"
)

// An idle connection is pinged where the node says that it takes that, as one of this package does, and nowhere else.
func TestWhoSaysNothingIsPingedSeldom(t *testing.T) {
	t.Parallel()
	reg := registry.NewMemoryRegistry()
	pings := make(chan string, 8)
	s, err := NewServer(ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ours := registered(s.Options(), s.cfg.Keepalive.MinClientPing, pinged(t, "ours", pings), nil, nil)
	ours.Name = "both"
	silent := &registry.Service{Name: "both", Nodes: []*registry.Node{{Id: "foreign", Address: pinged(t, "foreign", pings)}}}
	for _, r := range []*registry.Service{ours, silent} {
		if err := reg.Register(r); err != nil {
			t.Fatal(err)
		}
	}
	c := NewClient(ClientConfig{}, client.Registry(reg))
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.group("both", nil); err != nil {
		t.Fatal(err)
	}
	connected, first := map[string]bool{}, ""
	for first == "" {
		select {
		case got := <-pings:
			if got == "ours" || got == "foreign" {
				connected[got] = true
				continue
			}
			first = got
		case <-t.Context().Done():
			t.Fatal("no ping came")
		}
	}
	if first != "ping at ours" || !connected["foreign"] {
		t.Errorf("connected: %v; then came a %s", connected, first)
	}
}

// pinged takes HTTP/2 connections and tells of each, and of each ping.
func pinged(t *testing.T, name string, tell chan<- string) string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go answerPings(conn, name, tell)
		}
	}()
	return lis.Addr().String()
}

func answerPings(conn net.Conn, name string, tell chan<- string) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := conn.Read(preface); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	if f.WriteSettings() != nil {
		return
	}
	tell <- name
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				tell <- "ping at " + name
				err = f.WritePing(true, frame.Data)
			}
		}
		if err != nil {
			return
		}
	}
}
