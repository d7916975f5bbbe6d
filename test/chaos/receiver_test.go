package chaos

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// receiver is what webhooks are sent to. It checks their signatures by its own reading of Standard Webhooks.
type receiver struct {
	*httptest.Server
	key []byte

	mu     sync.Mutex
	bodies map[string]map[string]string // by job, by webhook-id
	copies int                          // deliveries of what had come before
	wrong  []string
}

func newReceiver(t *testing.T) (r *receiver, secret string) {
	key := sha256.Sum256([]byte(t.Name()))
	r = &receiver{key: key[:], bodies: map[string]map[string]string{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r, "whsec_" + base64.StdEncoding.EncodeToString(r.key)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
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

func (r *receiver) take(h http.Header, body []byte) error {
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

// of tells the webhooks of a job.
func (r *receiver) of(job string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies[job])
}
