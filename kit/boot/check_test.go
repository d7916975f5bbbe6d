package boot

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"calotype/kit/fault"
)

func TestCheckAsksTheRunningProcess(t *testing.T) {
	h := newHost(t, func(c *Config) { c.Ops.Listen = "127.0.0.1:0" })
	gate := h.Health.Gate("x")
	_, port, _ := net.SplitHostPort(h.OpsAddr())
	for _, listen := range []string{h.OpsAddr(), "0.0.0.0:" + port} {
		cfg := DefaultConfig()
		gate.Set(false)
		err := Configure("x", &cfg, []string{"--check", "--ops.listen=" + listen})
		if code := exitCode("x", err); code != 1 || !strings.Contains(err.Error(), "not ready") {
			t.Errorf("%s, while it is not ready: exit code %d, %v", listen, code, err)
		}
		gate.Set(true)
		err = Configure("x", &cfg, []string{"--check", "--ops.listen=" + listen})
		if code := exitCode("x", err); code != 0 || !errors.Is(err, errChecked) {
			t.Errorf("%s, once it is ready: exit code %d, %v", listen, code, err)
		}
	}
}

func TestCheckOfNobody(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	if err := Configure("x", &cfg, []string{"--check", "--ops.listen=" + addr}); exitCode("x", err) != 1 {
		t.Errorf("nobody listens: %v", err)
	}
	for _, listen := range []string{"", "127.0.0.1:0"} {
		if err := Configure("x", &cfg, []string{"--check", "--ops.listen=" + listen}); fault.ReasonOf(err) != "BAD_CONFIG" {
			t.Errorf("%q names no process: %v", listen, err)
		}
	}
	if err := check(&struct{}{}); fault.ReasonOf(err) != "BAD_CONFIG" {
		t.Errorf("no process's settings: %v", err)
	}
}
