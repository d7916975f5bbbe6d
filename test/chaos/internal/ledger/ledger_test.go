package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"calotype/test/caller"
)

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestAudit has a server tell the truth about an upload, and then one lie after the other.
func TestAudit(t *testing.T) {
	truth := map[string]string{
		"/v1/jobs/job_1":                  fmt.Sprintf(`{"id":"job_1","state":"SUCCEEDED","attempts":2,"results":[{"name":"a","digest":%q}],"create_time":"2026-11-22T05:00:00Z","end_time":"2026-11-22T05:00:03Z"}`, digest("small")),
		"/v1/images/img_1/variants/a":     "small",
		"/v1/images/img_1/original":       "whole",
		"/v1/jobs/job_1/events":           "event: queued\nid: 1\ndata: {}\n\nevent: succeeded\nid: 2\ndata: {}\n\n",
		"/v1/images/img_1/variants/other": "other",
	}
	for what, c := range map[string]struct {
		path, lie string
		err       string // empty means that all is as it should be
	}{
		"the truth":               {"", "", ""},
		"the job is lost":         {"/v1/jobs/job_1", "", "404"},
		"it failed":               {"/v1/jobs/job_1", `{"state":"FAILED"}`, "it ended FAILED"},
		"it has not ended":        {"/v1/jobs/job_1", `{"state":"RUNNING"}`, "it ended RUNNING"},
		"a result is missing":     {"/v1/jobs/job_1", `{"state":"SUCCEEDED"}`, "0 results, not 1"},
		"another result":          {"/v1/jobs/job_1", `{"state":"SUCCEEDED","results":[{"name":"a","digest":"0"}]}`, "variant a is 0"},
		"other bytes of a result": {"/v1/images/img_1/variants/a", "altered", "variants/a is answered with 200"},
		"the original is lost":    {"/v1/images/img_1/original", "", "original is answered with 404"},
		"it ended twice":          {"/v1/jobs/job_1/events", "event: succeeded\nid: 1\n\nevent: failed\nid: 2\n\n", "2 terminal events"},
		"it did not end":          {"/v1/jobs/job_1/events", "event: queued\nid: 1\n\n", "0 terminal events"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text := truth[r.URL.Path]
			if r.URL.Path == c.path {
				text = c.lie
			}
			if text == "" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, text)
		}))
		a := &Auditor{Caller: caller.New(server.URL), Want: []map[string]string{{"a": digest("small")}}}
		found := a.Audit(t.Context(), []Entry{{Key: "k", Job: "job_1", Image: "img_1", Original: digest("whole")}})
		switch err := found[0].Err; {
		case c.err == "" && (err != nil || found[0].Attempts != 2 || found[0].Ended.Sub(found[0].Created).Seconds() != 3):
			t.Errorf("%s: %+v", what, found[0])
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v", what, err)
		}
		server.Close()
	}
}

// Who is busy is asked again: what cannot be heard now is not lost.
func TestABusyAnswerIsNoLoss(t *testing.T) {
	var refused atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case refused.Add(1) == 1:
			http.Error(w, "busy", http.StatusServiceUnavailable)
		case r.URL.Path == "/v1/jobs/job_1":
			fmt.Fprint(w, `{"state":"SUCCEEDED"}`)
		default:
			fmt.Fprint(w, "event: succeeded\nid: 1\ndata: {}\n\n")
		}
	}))
	defer server.Close()
	a := &Auditor{Caller: caller.New(server.URL), Want: []map[string]string{{}}}
	if found := a.Audit(t.Context(), []Entry{{Key: "one", Job: "job_1"}}); found[0].Err != nil || refused.Load() < 2 {
		t.Errorf("%v after %d requests", found[0].Err, refused.Load())
	}
}

func TestTwoUploadsWithOneJob(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	a := &Auditor{Caller: caller.New(server.URL), Want: []map[string]string{{}}}
	found := a.Audit(t.Context(), []Entry{{Key: "one", Job: "job_1"}, {Key: "two", Job: "job_1"}})
	if found[1].Err == nil || !strings.Contains(found[1].Err.Error(), "the same job") {
		t.Errorf("%v", found[1].Err)
	}
}

func TestTake(t *testing.T) {
	created := func(body string) caller.Answer { return caller.Answer{Status: http.StatusCreated, Body: []byte(body)} }
	for what, c := range map[string]struct {
		answer caller.Answer
		err    error
		taken  bool
	}{
		"acknowledged":   {created(`{"image":{"id":"img_1","digest":"d"},"job":{"id":"job_1"}}`), nil, true},
		"without a job":  {created(`{"image":{"id":"img_1","digest":"d"}}`), nil, false},
		"another digest": {created(`{"image":{"id":"img_1","digest":"e"},"job":{"id":"job_1"}}`), nil, false},
		"refused":        {caller.Answer{Status: http.StatusServiceUnavailable}, nil, false},
		"not answered":   {caller.Answer{}, http.ErrHandlerTimeout, false},
	} {
		l := &Ledger{}
		e := &Entry{Key: "k", Original: "d"}
		err := l.Take(e, c.answer, c.err)
		refused, _ := l.Refusals()
		if taken := err == nil; taken != c.taken || len(l.Acked()) == 1 != c.taken || refused == 0 != c.taken || c.taken && l.Acked()[0].Job != "job_1" {
			t.Errorf("%s: %v, %v", what, err, l.Acked())
		}
	}
}
