package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
)

// Redis is a Redis server with its own folder, which keeps what it acknowledges as its settings say.
type Redis struct {
	*Process
	Addr string // host:port
}

// NewRedis starts a server and returns when it answers. Settings are words of its command line ("--appendonly", "yes").
func NewRedis(t testing.TB, settings ...string) *Redis {
	t.Helper()
	r, dir := &Redis{}, t.TempDir()
	r.Process = start(t, "redis-server", 1, func(ports []int) ([]string, func(context.Context) error) {
		r.Addr = local(ports[0])
		args := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(ports[0]), "--dir", dir, "--save", ""}, settings...)
		return args, r.answers
	})
	return r
}

func (r *Redis) answers(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+PONG\r\n" {
		err = fmt.Errorf("it answered %q", answer)
	}
	return err
}
