package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// asking keeps no connection, so that a test that looks for leaked goroutines finds none of these.
func asking() *http.Client {
	return &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

// answers asks once, and fails unless the answer is 200.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := asking().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 512))
		return fmt.Errorf("%s answers %s: %s", url, res.Status, body)
	}
	return nil
}

// accepts fails unless somebody takes a connection.
func accepts(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
