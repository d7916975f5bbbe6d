package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"calotype/cmd/calotype/internal/command"
)

// run runs a command line against a server that answers as the test's handler says; the real one is met in test/e2e.
func run(t *testing.T, h http.HandlerFunc, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	var out, errs bytes.Buffer
	code = command.Main(t.Context(), append([]string{"--server", s.URL}, args...), &out, &errs)
	return out.String(), errs.String(), code
}

// untouched fails the test when the server is asked for anything.
func untouched(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the server was asked %s %s", r.Method, r.URL) }
}

func TestBatchCreate(t *testing.T) {
	var keys []string
	var asked map[string]any
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = nil
		if err := json.Unmarshal(body, &asked); err != nil || r.Method != "POST" || r.URL.Path != "/v1/batches" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s: %v", r.Method, r.URL, body, err)
		}
		if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"bat_1","total":2,"counts":[{"state":"QUEUED","count":2}]}`)
	}
	out, errs, code := run(t, h, "batch", "create", "img_1", "img_2", "--preset", "web", "--variant", "a:w_1", "--priority", "Bulk", "--tenant", "shop", "--webhook", "https://a",
		"--max-attempts", "3", "--not-before", "2026-05-04T03:02:01Z", "--ttl", "72h")
	want := map[string]any{"image_ids": []any{"img_1", "img_2"}, "preset": "web", "variants": []any{"a:w_1"},
		"options": map[string]any{"tenant": "shop", "priority": "BULK", "webhook_url": "https://a",
			"max_attempts": 3, "not_before": "2026-05-04T03:02:01Z", "ttl": "259200s"}}
	if code != 0 || fmt.Sprint(asked) != fmt.Sprint(want) || !strings.Contains(out, "bat_1") || !strings.Contains(out, "2 queued") {
		t.Errorf("%d %s %s; asked for %v", code, out, errs, asked)
	}
	if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("keys were %q; one key must go with every try", keys)
	}
	if out, _, _ := run(t, h, "batch", "create", "img_1", "--preset", "web", "--json"); !strings.HasPrefix(out, "{") || keys[2] == keys[1] {
		t.Errorf("printed %s under %q", out, keys)
	}
}

func TestBatchWatch(t *testing.T) {
	for _, c := range []struct {
		last string
		code int
		told string
	}{
		{`"percent":100,"done":true,"counts":[{"state":"SUCCEEDED","count":3}]`, 0, ""},
		{`"percent":100,"done":true,"counts":[{"state":"SUCCEEDED","count":2},{"state":"DEAD","count":1}]`, 1, "2 succeeded, 1 dead of 3"},
		{`"percent":100,"done":true,"counts":[{"state":"SUCCEEDED","count":1}]`, 1, "2 went with their images"},
		{`"percent":100,"done":true`, 1, "3 went with their images"},
	} {
		n := 0
		out, errs, code := run(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; r.URL.Path != "/v1/batches/bat_1" {
				t.Errorf("asked for %s", r.URL)
			}
			if n == 1 {
				fmt.Fprint(w, `{"id":"bat_1","total":3,"percent":33,"counts":[{"state":"RUNNING","count":3}]}`)
				return
			}
			fmt.Fprintf(w, `{"id":"bat_1","total":3,%s}`, c.last)
		}, "batch", "watch", "bat_1")
		if code != c.code || !strings.Contains(errs, c.told) || !strings.Contains(out, " 33%  3 running") || !strings.Contains(out, "100%") {
			t.Errorf("%s: %d\n%s\n%s", c.last, code, out, errs)
		}
	}
}

func TestBatchCancel(t *testing.T) {
	out, errs, code := run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.Path != "/v1/batches/bat_1:cancel" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		fmt.Fprint(w, `{"id":"bat_1","total":3,"percent":100,"done":true,"counts":[{"state":"CANCELLED","count":3}]}`)
	}, "batch", "cancel", "bat_1")
	if code != 0 || !strings.Contains(out, "3 cancelled") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

func TestRedrive(t *testing.T) {
	var asked map[string]any
	answer := `{"redriven":7,"remaining":true}`
	h := func(w http.ResponseWriter, r *http.Request) {
		asked = nil
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.Method != "POST" || r.URL.Path != "/v1/jobs:redrive" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		fmt.Fprint(w, answer)
	}
	out, errs, code := run(t, h, "jobs", "redrive", "--state", "failed", "--reason", "STORAGE_AWAY", "--tenant", "shop", "--image", "img_1", "--batch", "bat_1", "-n", "7")
	want := map[string]any{"state": "FAILED", "reason": "STORAGE_AWAY", "tenant": "shop", "image_id": "img_1", "batch_id": "bat_1", "limit": 7}
	if code != 0 || fmt.Sprint(asked) != fmt.Sprint(want) || !strings.Contains(out, "7 jobs queued again; more are left") {
		t.Errorf("%d %s %s; asked for %v", code, out, errs, asked)
	}
	answer = `{"redriven":0}`
	if out, _, code = run(t, h, "jobs", "redrive"); code != 0 || out != "0 jobs queued again\n" || fmt.Sprint(asked) != "map[limit:1000 state:DEAD]" {
		t.Errorf("%d %q; asked for %v", code, out, asked)
	}
	if out, _, code = run(t, h, "jobs", "redrive", "--json"); code != 0 || !strings.Contains(strings.ReplaceAll(out, " ", ""), `"remaining":false`) {
		t.Errorf("%d %q", code, out)
	}
}

func TestUploadOptions(t *testing.T) {
	photo := filepath.Join(t.TempDir(), "cat.jpg")
	if err := os.WriteFile(photo, []byte("pixels"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := ""
	out, errs, code := run(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query().Encode()
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"image":{"id":"img_1"},"job":{"id":"job_1","state":"SCHEDULED"}}`)
	}, "upload", photo, "-p", "web", "--priority", "bulk", "--tenant", "shop", "--webhook", "https://a?b=c", "--not-before", "2026-05-04T03:02:01Z", "--ttl", "72h", "--image-ttl", "720h")
	const want = "filename=cat.jpg&image_ttl=720h&not_before=2026-05-04T03%3A02%3A01Z&preset=web&priority=bulk&tenant=shop&ttl=72h&webhook_url=https%3A%2F%2Fa%3Fb%3Dc"
	if code != 0 || asked != want || !strings.Contains(out, "scheduled") {
		t.Errorf("%d %s %s; asked for %s", code, out, errs, asked)
	}
}

// What is wrong with the command line itself is told without asking anybody.
func TestWrongUse(t *testing.T) {
	for _, c := range []struct {
		args []string
		told string
	}{
		{[]string{"batch"}, "accepts 1 arg"},
		{[]string{"batch", "create"}, "at least 1 arg"},
		{[]string{"batch", "create", "img_1", "--priority", "high"}, "interactive, normal, bulk"},
		{[]string{"batch", "create", "img_1", "--priority", "priority_unspecified"}, "interactive, normal, bulk"},
		{[]string{"batch", "watch"}, "accepts 1 arg"},
		{[]string{"batch", "create", "img_1", "--not-before", "soon"}, "soon"},
		{[]string{"batch", "create", "img_1", "--ttl", "3"}, "missing unit"},
		{[]string{"batch", "cancel", "bat_1", "bat_2"}, "accepts 1 arg"},
		{[]string{"jobs", "--state", "state_unspecified"}, "none of"},
		{[]string{"jobs", "redrive", "--state", "asleep"}, "none of"},
		{[]string{"jobs", "redrive", "-n", "0"}, "1 to 1000"},
		{[]string{"jobs", "redrive", "-n", "4294967297"}, "1 to 1000"},
		{[]string{"jobs", "redrive", "job_1"}, "unknown"},
	} {
		_, errs, code := run(t, untouched(t), c.args...)
		if code != 2 || !strings.Contains(errs, c.told) {
			t.Errorf("calotype %s: %d %s, want 2 with %q", strings.Join(c.args, " "), code, errs, c.told)
		}
	}
}

// What the server refuses is told whole, by exit code 1.
func TestRefused(t *testing.T) {
	for _, args := range [][]string{{"batch", "create", "img_1"}, {"batch", "watch", "bat_1"}, {"batch", "cancel", "bat_1"}, {"jobs", "redrive"}} {
		_, errs, code := run(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"title":"Not found","status":404,"detail":"no","reason":"IMAGE_NOT_FOUND","errors":[{"path":"image_ids[0]","message":"there is no image"}]}`)
		}, args...)
		if code != 1 || !strings.Contains(errs, "image_ids[0]: there is no image") || !strings.Contains(errs, "IMAGE_NOT_FOUND") {
			t.Errorf("calotype %s: %d %s", strings.Join(args, " "), code, errs)
		}
	}
}
