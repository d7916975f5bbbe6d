// Package webhook signs notices in the form of Standard Webhooks 1.0 (standardwebhooks.com) and sends them. When and how often, it
// does not decide.
package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"calotype/kit/fault"
	"calotype/kit/outward"
	"calotype/services/image/internal/job"
)

const (
	maxAnswer = 64 << 10 // bytes of an answer that are read, so that its connection can be used again
	idle      = 8        // connections kept for a receiver
)

// Sender sends notices. It may be used concurrently.
type Sender struct {
	keys   keys
	client *outward.Client
	agent  string
	now    func() time.Time
}

// New makes a sender for a version of Calotype; now nil means the clock. Without secrets it is off.
func New(cfg Config, version string, now func() time.Time) (*Sender, error) {
	secrets := cfg.Secrets.Reveal()
	if secrets == "" && cfg.KeepSecret != "" {
		kept, err := keep(cfg.KeepSecret)
		if err != nil {
			return nil, err
		}
		secrets = kept
	}
	signing, faults := readKeys(secrets)
	allow, wrong := cfg.networks()
	if faults = append(faults, wrong...); len(faults) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the settings of webhooks are wrong", Fields: faults}
	}
	if now == nil {
		now = time.Now
	}
	// Redirects are not followed, as the standard advises: the notice would go, signed, to somebody whom the job's caller did not
	// name, and a receiver that moved for good is better told in the next job's URL.
	client := outward.New(outward.Config{Allow: allow, HTTPSOnly: cfg.HTTPSOnly, Idle: idle})
	return &Sender{keys: signing, client: client, agent: "Calotype/" + version, now: now}, nil
}

// On reports whether there is a secret to sign with.
func (s *Sender) On() bool { return len(s.keys) > 0 }

// Close lets go of connections.
func (s *Sender) Close() { s.client.Close() }

// CheckURL tells what is wrong with a URL before anything is sent there; "" is nothing.
func (s *Sender) CheckURL(text string) string {
	if !s.On() {
		return "cannot be told: webhooks are off, for no signing secret is configured"
	}
	return s.client.CheckURL(text)
}

// Send implements manager.Sender.
func (s *Sender) Send(ctx context.Context, w job.Webhook) (string, error) {
	at := s.now()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(w.Body))
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "BAD_URL", "its URL cannot be read")
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {s.agent},
		"Webhook-Id": {string(w.ID)}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {s.keys.sign(string(w.ID), at, w.Body)},
		// It is not sent: it tells net/http that a request may go again by another connection when the kept one has just been closed.
		"Idempotency-Key": nil,
	}
	rsp, err := s.client.Do(r)
	if err != nil {
		return "", unanswered(ctx, err)
	}
	defer rsp.Body.Close()
	_, _ = io.CopyN(io.Discard, rsp.Body, maxAnswer) // its status said all there is to know
	return judge(rsp, at)
}

// judge says what an answer means.
func judge(rsp *http.Response, now time.Time) (string, error) {
	said := fmt.Sprintf("answered %d %s", rsp.StatusCode, http.StatusText(rsp.StatusCode))
	switch {
	case rsp.StatusCode >= 200 && rsp.StatusCode < 300:
		return said, nil
	case rsp.StatusCode == http.StatusGone:
		return "", fault.New(fault.NotFound, "RECEIVER_GONE", "%s: it wants no more", said)
	case rsp.StatusCode >= 300 && rsp.StatusCode < 400:
		said += ": redirects are not followed"
	}
	e := fault.New(fault.Unavailable, "NOT_TAKEN", "%s", said)
	e.RetryAfter = retryAfter(rsp.Header.Get("Retry-After"), now)
	return "", e
}

// retryAfter reads seconds or a date; what is neither asks for nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// unanswered tells why no answer came, in words that hold nothing of the URL and no address that a name leads to.
func unanswered(ctx context.Context, err error) error {
	var (
		of      *url.Error
		name    *net.DNSError
		refused *fault.Error
		unknown x509.UnknownAuthorityError
		other   x509.HostnameError
		invalid x509.CertificateInvalidError
		late    interface{ Timeout() bool }
	)
	if errors.As(err, &of) {
		err = of.Err
	}
	text := "the connection failed"
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.As(err, &name) && name.IsNotFound:
		text = "there is no such host"
	case errors.As(err, &name):
		text = "the host's name could not be looked up"
	case ctx.Err() != nil, errors.As(err, &late) && late.Timeout():
		text = "no answer came in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		text = "nobody listens there"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		text = "the connection broke before an answer came"
	case errors.As(err, &unknown), errors.As(err, &other), errors.As(err, &invalid):
		text = "its certificate is not trusted"
	}
	return fault.Wrap(err, fault.Unavailable, "NOT_REACHED", "%s", text)
}
