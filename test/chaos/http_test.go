package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"testing"
	"time"

	"calotype/test/caller"
	"calotype/test/receiver"
)

// eventually asks again until there is no error.
func eventually(t *testing.T, what string, patience time.Duration, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := caller.Until(ctx, 100*time.Millisecond, func(context.Context) error { return ask() }); err != nil {
		t.Fatalf("%s: not within %v: %v", what, patience, err)
	}
}

// newReceiver serves what webhooks are sent to.
func newReceiver(t *testing.T) (r *receiver.Receiver, url, secret string) {
	t.Helper()
	key := sha256.Sum256([]byte(t.Name()))
	secret = "whsec_" + base64.StdEncoding.EncodeToString(key[:])
	r, err := receiver.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return r, server.URL, secret
}
