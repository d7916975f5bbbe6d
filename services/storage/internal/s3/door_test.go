package s3_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// door is an address before a server that passes bytes on until it hangs, when connections stay and nothing passes, or vanishes.
type door struct {
	endpoint string
	hangs    atomic.Bool
	listener net.Listener
	stop     context.CancelFunc
	all      errgroup.Group
}

func newDoor(t *testing.T, to string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &door{endpoint: "http://" + l.Addr().String(), listener: l, stop: stop}
	t.Cleanup(d.close)
	d.all.Go(func() error {
		for {
			in, err := l.Accept()
			if err != nil {
				return err
			}
			out, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				d.all.Go(func() error { d.pass(ctx, way[0], way[1]); way[0].Close(); return way[1].Close() })
			}
		}
	})
	return d
}

func (d *door) close() {
	d.stop()
	d.listener.Close()
	_ = d.all.Wait()
}

func (d *door) pass(ctx context.Context, from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for d.hangs.Load() && ctx.Err() == nil {
			pause(ctx)
		}
		if n > 0 {
			_, bad := to.Write(buf[:n])
			err = errors.Join(err, bad)
		}
		if err != nil {
			return
		}
	}
}

// vanish leaves nothing at the address, not even a machine that says so.
func (d *door) vanish(t *testing.T) {
	t.Helper()
	d.close()
	blackHole(t, d.listener.Addr().(*net.TCPAddr).Port)
}

// blackHole never takes a connection, and neither does the kernel for it: its queue is full, and packets to it are dropped. Port 0 is any.
func blackHole(t *testing.T, port int) (addr string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := name.(*unix.SockaddrInet4)
	addr = (&net.TCPAddr{IP: at.Addr[:], Port: at.Port}).String()
	for {
		conn, err := (&net.Dialer{Timeout: 100 * time.Millisecond}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { conn.Close() })
	}
}
