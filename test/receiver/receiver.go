// Package receiver is what webhooks are sent to in tests. It checks their signatures by its own reading of Standard Webhooks.
package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Receiver is an http.Handler that takes every webhook that is signed with its key.
type Receiver struct {
	key []byte

	mu     sync.Mutex
	bodies map[string]map[string]string // by job, by webhook-id
	copies int
	wrong  []string
}

// New makes a receiver for a secret such as "whsec_...". Of several, parted by commas or lines, it takes the first.
func New(secrets string) (*Receiver, error) {
	first := strings.FieldsFunc(secrets, func(r rune) bool { return r == ',' || r == '\n' || r == ' ' || r == '\r' })
	if len(first) == 0 {
		return nil, errors.New("no webhook secret is given")
	}
	text, ok := strings.CutPrefix(first[0], "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, errors.New("a webhook secret is whsec_ and base64")
	}
	return &Receiver{key: key, bodies: map[string]map[string]string{}}, nil
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		err = r.take(req.Header, body)
	}
	if err != nil {
		r.wrong = append(r.wrong, err.Error())
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (r *Receiver) take(h http.Header, body []byte) error {
	id := h.Get("Webhook-Id")
	mac := hmac.New(sha256.New, r.key)
	fmt.Fprintf(mac, "%s.%s.%s", id, h.Get("Webhook-Timestamp"), body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !slices.Contains(strings.Fields(h.Get("Webhook-Signature")), want) {
		return fmt.Errorf("%s is signed %q, not %q", id, h.Get("Webhook-Signature"), want)
	}
	var told struct {
		Type string
		Data struct{ ID string }
	}
	if err := json.Unmarshal(body, &told); err != nil {
		return fmt.Errorf("%s: %w in %s", id, err, body)
	}
	job := r.bodies[told.Data.ID]
	if job == nil {
		job = map[string]string{}
		r.bodies[told.Data.ID] = job
	}
	before, again := job[id]
	switch {
	case again && before != string(body):
		return fmt.Errorf("%s came with two bodies", id)
	case again:
		r.copies++
	}
	job[id] = string(body)
	return nil
}

// Of tells how many different webhooks came about a job.
func (r *Receiver) Of(job string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies[job])
}

// Copies tells how many deliveries were of what had come before, under the same id.
func (r *Receiver) Copies() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.copies
}

// Wrong lists what was not taken, and why.
func (r *Receiver) Wrong() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.wrong)
}
