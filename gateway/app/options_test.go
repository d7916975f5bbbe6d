package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"calotype/gateway/internal/problem"
	imageapp "calotype/services/image/app"
)

// wantViolations asserts which paths are wrong, in their order, parted by blanks.
func (s *stage) wantViolations(d problem.Document, want string) {
	s.t.Helper()
	var paths []string
	for _, v := range d.Errors {
		paths = append(paths, v.Path)
		if v.Message == "" || strings.Contains(v.Message, "strconv") || strings.Contains(v.Message, "proto") {
			s.t.Errorf("%s is told as %q", v.Path, v.Message)
		}
	}
	if got := strings.Join(paths, " "); got != want {
		s.t.Errorf("wrong at %q, want %q: %+v", got, want, d)
	}
}

// form posts an upload as a form; fields come in pairs, and the file last.
func (s *stage) form(query string, fields ...string) (*answer, string) {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		s.must(w.WriteField(fields[i], fields[i+1]))
	}
	file, err := w.CreateFormFile("file", "a.jpg")
	s.must(err)
	_, err = file.Write([]byte("pixels"))
	s.must(err)
	s.must(w.Close())
	return s.do(s.request("POST", "/v1/images"+query, &b, "Content-Type", w.FormDataContentType()))
}

// Bad values are refused wherever they come in, under the name that the caller gave them.
func TestBadOptions(t *testing.T) {
	s := managed(t, nil)
	image := s.image("x")
	for _, c := range []struct{ option, value, json string }{
		{"tenant", "a b", `"a b"`},
		{"tenant", strings.Repeat("x", 65), `"` + strings.Repeat("x", 65) + `"`},
		{"priority", "urgent", ""},
		{"priority", "priority_unspecified", ""},
		{"max_attempts", "-1", "-1"},
		{"max_attempts", "101", "101"},
		{"max_attempts", "many", ""},
		{"max_attempts", "99999999999", ""},
		{"not_before", "tomorrow", ""},
		{"not_before", "2999-01-01T00:00:00Z", `"2999-01-01T00:00:00Z"`},
		{"ttl", "a while", ""},
		{"ttl", "0s", `"0s"`},
		{"ttl", "-5s", `"-5s"`},
		{"ttl", "999ms", `"0.999s"`},
		{"unique", "perhaps", ""},
		{"webhook_url", "https://example.com/hook", `"https://example.com/hook"`}, // none are configured
	} {
		rsp, body := s.post("/v1/images?preset=thumb&"+url.Values{c.option: {c.value}}.Encode(), "x")
		inQuery := s.wantOption(rsp, body, c.option)
		rsp, body = s.form("", "preset", "thumb", c.option, c.value)
		if inForm := s.wantOption(rsp, body, c.option); inForm != inQuery {
			t.Errorf("%s=%s is told as %q in a query, as %q in a form", c.option, c.value, inQuery, inForm)
		}
		if c.json == "" {
			continue // the JSON itself would be wrong
		}
		for path, ask := range map[string]string{
			"/v1/jobs":    fmt.Sprintf(`{"image_id":%q,"preset":"thumb","options":{%q:%s}}`, image, c.option, c.json),
			"/v1/batches": fmt.Sprintf(`{"image_ids":[%q],"preset":"thumb","options":{%q:%s}}`, image, c.option, c.json),
		} {
			rsp, body := s.post(path, ask)
			s.wantViolations(s.wantProblem(rsp, body, 400, "BAD_OPTIONS"), "options."+c.option)
		}
	}
	rsp, body := s.post("/v1/images?image_ttl=1ms", "x")
	s.wantOption(rsp, body, "image_ttl")
	rsp, body = s.post("/v1/images?tenant=a", "x") // without work
	s.wantOption(rsp, body, "options")
	rsp, body = s.form("?tenant=a", "preset", "thumb", "tenant", "b")
	s.wantOption(rsp, body, "tenant")
	rsp, body = s.form("", "preset", "thumb", "unique", "true", "unique", "true")
	s.wantOption(rsp, body, "unique")
	rsp, body = s.form("", "preset", "thumb", "tennant", "b")
	s.wantOption(rsp, body, "tennant")
	rsp, body = s.form("", "recipe", `{"variants":[{"name":"a"},{"name":"B"}]}`)
	s.wantViolations(s.wantProblem(rsp, body, 400, "BAD_RECIPE"), "recipe.variants[1].name")
	rsp, body = s.form("", "recipe", `{"variants":`)
	s.wantViolations(s.wantProblem(rsp, body, 400, "BAD_JSON"), "recipe")
	rsp, body = s.post("/v1/images?preset=thumb", "x", "Idempotency-Key", strings.Repeat("k", 256))
	s.wantViolations(s.wantProblem(rsp, body, 400, "BAD_IDEMPOTENCY_KEY"), "Idempotency-Key")
}

// wantOption asserts that one option of an upload is wrong, and tells what is said of it.
func (s *stage) wantOption(rsp *answer, body, option string) string {
	s.t.Helper()
	var d problem.Document
	s.must(json.Unmarshal([]byte(body), &d))
	if rsp.StatusCode != 400 || len(d.Errors) != 1 || d.Errors[0].Path != option {
		s.t.Errorf("%s: %d %s, want it wrong at %s", rsp.Request.URL, rsp.StatusCode, body, option)
		return ""
	}
	s.wantViolations(d, option)
	return d.Errors[0].Message
}

func TestOptionsOfAnUploadArrive(t *testing.T) {
	s := managed(t, nil)
	const options = "tenant=shop&priority=Bulk&max_attempts=7&not_before=2030-01-01T00:00:00%2B01:00&ttl=90m&unique=true&image_ttl=72h"
	fields := []string{"preset", "thumb"}
	values, _ := url.ParseQuery(strings.ReplaceAll(options, "2030", "2026"))
	for name, v := range values {
		fields = append(fields, name, v[0])
	}
	for way, upload := range map[string]func() (*answer, string){
		"query": func() (*answer, string) {
			return s.post("/v1/images?preset=thumb&"+strings.ReplaceAll(options, "2030", "2026"), "x")
		},
		"form": func() (*answer, string) { return s.form("", fields...) },
	} {
		rsp, body := upload()
		var up struct {
			Image struct {
				ExpireTime string `json:"expire_time"`
			}
			Job struct {
				State   string
				Options map[string]any
			}
		}
		s.must(json.Unmarshal([]byte(body), &up))
		want := map[string]any{"tenant": "shop", "priority": "BULK", "max_attempts": 7.0, "not_before": "2025-12-31T23:00:00Z", "ttl": "5400s", "unique": true, "webhook_url": ""}
		if rsp.StatusCode != 201 || fmt.Sprint(up.Job.Options) != fmt.Sprint(want) || up.Image.ExpireTime == "" || up.Job.State != "QUEUED" {
			t.Errorf("by %s: %d %s", way, rsp.StatusCode, body)
		}
	}
}

// Addresses take the parameters that their routes have, and no others.
func TestParametersOfRoutes(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct{ method, path, violations, told string }{
		{"GET", "/v1/images?page_size=abc", "page_size", `"abc" is not a whole number`},
		{"GET", "/v1/images?page_size=99999999999", "page_size", "too large"},
		{"GET", "/v1/images?page_size=", "page_size", "whole number"},
		{"GET", "/v1/images?page_size=1&page_size=2", "page_size", "twice"},
		{"GET", "/v1/images?pagesize=3", "pagesize", "page_size, page_token"},
		{"GET", "/v1/images?id=3", "id", "page_size, page_token"},
		{"GET", "/v1/jobs?state=ASLEEP", "state", "QUEUED, RUNNING"},
		{"GET", "/v1/jobs?state=12", "state", "QUEUED"},
		{"GET", "/v1/jobs?status=QUEUED&page_size=x&image=3", "image page_size status", ""},
		{"GET", "/v1/jobs/job_1?state=QUEUED", "state", "takes none"},
		{"GET", "/v1/jobs/job_1?id=job_2", "id", "takes none"},
		{"GET", "/v1/greeter/hello?nme=Ada", "nme", "name"},
		{"GET", "/v1/greeter/greetings?count=x", "count", "whole number"},
		{"GET", "/v1/greeter/greetings?cont=3", "cont", "count"},
		{"HEAD", "/v1/jobs?sate=DEAD", "", ""},
		{"POST", "/v1/jobs?preset=web", "preset", "takes none"},
		{"POST", "/v1/batches?preset=web", "preset", "takes none"},
		{"POST", "/v1/jobs/job_1:cancel?now=1", "now", "takes none"},
		{"POST", "/v1/images?page_size=1", "page_size", "preset, variants"},
		{"POST", "/v1/images?preset=a&preset=b", "preset", "twice"},
	} {
		rsp, body := s.do(s.request(c.method, c.path, strings.NewReader("{}")))
		if rsp.StatusCode != 400 {
			t.Errorf("%s %s: %d %s", c.method, c.path, rsp.StatusCode, body)
		}
		if c.violations == "" {
			continue
		}
		s.wantViolations(s.wantProblem(rsp, body, 400, "INVALID"), c.violations)
		if !strings.Contains(body, strings.ReplaceAll(c.told, `"`, `\"`)) {
			t.Errorf("%s is not told %q: %s", c.path, c.told, body)
		}
	}
	for _, path := range []string{"/v1/images?page_size=3&page_token=", "/v1/images?pageSize=3", "/v1/jobs?state=DEAD&reason=LOST&batch_id=b&tenant=t&image_id=i", "/v1/greeter/hello?"} {
		if rsp, body := s.get(path); rsp.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, rsp.StatusCode, body)
		}
	}
}

// A hundred who post the same under one key get one job; whoever posts something else under it is refused.
func TestAHundredPostsUnderOneKey(t *testing.T) {
	s := managed(t, nil)
	image := s.image("x")
	ask := fmt.Sprintf(`{"image_id":%q,"preset":"thumb","options":{"tenant":"t"}}`, image)
	var (
		g    errgroup.Group
		mu   sync.Mutex
		jobs = map[string]int{}
	)
	for range 100 {
		g.Go(func() error {
			rsp, body := s.post("/v1/jobs", ask, "Idempotency-Key", "once")
			var job struct{ ID string }
			if err := json.Unmarshal([]byte(body), &job); err != nil || rsp.StatusCode != 201 {
				return fmt.Errorf("%d %s: %w", rsp.StatusCode, body, err)
			}
			mu.Lock()
			defer mu.Unlock()
			jobs[job.ID]++
			return nil
		})
	}
	if err := g.Wait(); err != nil || len(jobs) != 1 {
		t.Fatalf("they got %v, %v", jobs, err)
	}
	if _, body := s.get("/v1/jobs?tenant=t"); strings.Count(body, `"id":"job_`) != 1 {
		t.Errorf("there are %s", body)
	}
	for _, other := range []string{strings.Replace(ask, "thumb", "web", 1), strings.Replace(ask, `"t"`, `"u"`, 1), strings.Replace(ask, image, "img_other", 1)} {
		rsp, body := s.post("/v1/jobs", other, "Idempotency-Key", "once")
		s.wantProblem(rsp, body, 422, "IDEMPOTENCY_KEY_REUSED")
	}
	// Written another way it is the same.
	spaced := fmt.Sprintf(`{ "options": {"tenant":"t", "unique":false}, "preset":"thumb", "imageId":%q, "variants":[] }`, image)
	if rsp, body := s.post("/v1/jobs", spaced, "Idempotency-Key", "once"); rsp.StatusCode != 201 {
		t.Errorf("written another way: %d %s", rsp.StatusCode, body)
	}
}

// Beyond the backlog a caller is told when to come again; what needs no queue goes on.
func TestAFullBacklogIs503(t *testing.T) {
	s := managed(t, func(cfg *imageapp.Config) { cfg.Image.Backlog = 1 })
	a, b := s.image("a"), s.image("b")
	rsp, body := s.post("/v1/batches", fmt.Sprintf(`{"image_ids":[%q,%q],"preset":"thumb"}`, a, b))
	s.wantViolations(s.wantProblem(rsp, body, 400, "BAD_BATCH"), "image_ids")
	// Nobody works: the window of the queue is filled first, then one may wait.
	for range 100 {
		if rsp, body = s.post("/v1/jobs", fmt.Sprintf(`{"image_id":%q,"preset":"thumb"}`, a)); rsp.StatusCode != 201 {
			break
		}
	}
	s.wantProblem(rsp, body, 503, "BACKLOG_FULL")
	if after := rsp.Header.Get("Retry-After"); after != "5" {
		t.Errorf("Retry-After is %q", after)
	}
	if rsp, body := s.post("/v1/images", "c"); rsp.StatusCode != 201 {
		t.Errorf("an image alone: %d %s", rsp.StatusCode, body)
	}
}
