package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReceiver(t *testing.T) {
	key := []byte("0123456789abcdef01234567")
	r, err := New("whsec_" + base64.StdEncoding.EncodeToString(key) + "\nwhsec_other\n")
	if err != nil {
		t.Fatal(err)
	}
	send := func(id, body string, key []byte) int {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, "1", body)
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("Webhook-Id", id)
		req.Header.Set("Webhook-Timestamp", "1")
		req.Header.Set("Webhook-Signature", "v1,bm9uZQ== v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Code
	}
	const ended = `{"type":"job.succeeded","data":{"id":"job_1"}}`
	steps := []struct {
		what, id, body string
		key            []byte
		status         int
		copies, many   int
	}{
		{"the first", "a", ended, key, 200, 0, 1},
		{"a copy", "a", ended, key, 200, 1, 1},
		{"another", "b", ended, key, 200, 1, 2},
		{"with somebody else's key", "c", ended, []byte("x"), 400, 1, 2},
		{"two bodies under one id", "a", ended + " ", key, 400, 1, 2},
		{"no JSON", "d", "{", key, 400, 1, 2},
	}
	for _, s := range steps {
		if status := send(s.id, s.body, s.key); status != s.status || r.Copies() != s.copies || r.Of("job_1") != s.many {
			t.Errorf("%s: %d, %d copies, %d in all", s.what, status, r.Copies(), r.Of("job_1"))
		}
	}
	if n := len(r.Wrong()); n != 3 {
		t.Errorf("%d were wrong", n)
	}
	for _, bad := range []string{"", "\n", "secret", "whsec_?"} {
		if _, err := New(bad); err == nil {
			t.Errorf("%q is taken for a secret", bad)
		}
	}
}
