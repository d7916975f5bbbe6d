package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"calotype/kit/fault"
)

// errChecked ends a process that only asked another whether it is ready, and heard that it is.
var errChecked = errors.New("ready")

// checkTimeout is far beyond what a process on the same machine takes to answer.
const checkTimeout = 3 * time.Second

// check asks the process that serves cfg's ops.listen on this machine whether it is ready: the health check of an image that has
// no program but the service's. What configures no process as Config does cannot be asked.
func check(cfg any) error {
	c, ok := cfg.(interface{ Common() Config })
	if !ok {
		return fault.New(fault.Invalid, "BAD_CONFIG", "--check: this process does not tell whether it is ready")
	}
	host, port, err := net.SplitHostPort(c.Common().Ops.Listen)
	if err != nil || port == "0" {
		return fault.New(fault.Invalid, "BAD_CONFIG", "--check needs the process's ops.listen with its port, not %q", c.Common().Ops.Listen)
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	return ready(ctx, net.JoinHostPort(host, port))
}

func ready(ctx context.Context, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a proxy of the environment's is not asked
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("nobody tells whether it is ready: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(why)))
	}
	return errChecked
}
