package rabbitmq

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func tcpPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}

// What was written arrives in order and whole, the last of it though the connection is closed at once.
func TestWireKeepsOrder(t *testing.T) {
	near, far := tcpPair(t)
	w := newWire(near, time.Minute)
	var want []byte
	go func() {
		for i := range 10_000 {
			_, _ = w.Write([]byte{byte(i), byte(i >> 8)})
		}
		_ = w.Close()
	}()
	for i := range 10_000 {
		want = append(want, byte(i), byte(i>>8))
	}
	if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d came, %v", len(got), len(want), err)
	}
}

// Who does not read is borne for a while, then every write fails, and closing waits for nobody.
func TestWireGivesUp(t *testing.T) {
	near, _ := tcpPair(t)
	w := newWire(near, 50*time.Millisecond)
	var err error
	for err == nil {
		_, err = w.Write(make([]byte, 1<<16))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it failed with %v", err)
	}
	near, _ = tcpPair(t)
	w = newWire(near, time.Hour)
	for range 64 {
		if w.filled() {
			break
		}
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func (w *wire) filled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting) > mostUnwritten/2
}
