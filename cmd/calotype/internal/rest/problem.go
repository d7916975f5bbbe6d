package rest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Problem is an answer of application/problem+json (RFC 9457).
type Problem struct {
	Status    int    `json:"status"`
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Reason    string `json:"reason"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Path    string `json:"path"`
		Message string `json:"message"`
	} `json:"errors"`
	RetryAfter time.Duration `json:"-"`
	body       []byte
}

func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	if p.Detail == "" {
		b.WriteString(p.Title)
	}
	for _, f := range p.Errors {
		fmt.Fprintf(&b, "\n  %s: %s", f.Path, f.Message)
	}
	fmt.Fprintf(&b, " (%d", p.Status)
	if p.Reason != "" {
		b.WriteString(" " + p.Reason)
	}
	if p.RequestID != "" {
		b.WriteString(", request " + p.RequestID)
	}
	b.WriteString(")")
	return b.String()
}

// readProblem reads what it can: a proxy on the way may answer in HTML.
func readProblem(resp *http.Response) *Problem {
	p := &Problem{}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(body, p) != nil || p.Title == "" {
		p = &Problem{Title: http.StatusText(resp.StatusCode)}
	}
	p.Status, p.body = resp.StatusCode, body
	p.RetryAfter = seconds(resp.Header.Get("Retry-After"))
	if p.RequestID == "" {
		p.RequestID = resp.Header.Get("X-Request-Id")
	}
	return p
}
