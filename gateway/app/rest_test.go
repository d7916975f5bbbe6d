package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/metadata"
)

func TestGreeterThroughTheGateway(t *testing.T) {
	s := newStage(t)
	rsp, body := s.get("/v1/greeter/hello?name=Ada")
	var hello struct {
		Message string
		Node    struct{ ID, Version, Commit string }
	}
	if err := json.Unmarshal([]byte(body), &hello); err != nil || rsp.StatusCode != 200 || hello.Message != "Hello, Ada" || hello.Node.ID != s.host.ID {
		t.Errorf("got %d %s", rsp.StatusCode, body)
	}
	if ct := rsp.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q", ct)
	}
	rsp, body = s.get("/v1/greeter/greetings?count=3")
	if lines := strings.Split(strings.TrimSpace(body), "\n"); rsp.StatusCode != 200 || len(lines) != 3 || !strings.Contains(lines[2], `"number":3`) {
		t.Errorf("the stream gave %d %q", rsp.StatusCode, body)
	}
	rsp, body = s.get("/v1/greeter/greetings?count=5000")
	d := s.wantProblem(rsp, body, 400, "BAD_GREETING")
	if len(d.Errors) != 1 || d.Errors[0].Path != "count" {
		t.Errorf("violations %+v", d.Errors)
	}
}

func TestDefaultsAreWrittenAndAbsentMessagesAreNot(t *testing.T) {
	s := newStage(t)
	s.images.keep("img_a", "", []byte("x"))
	_, body := s.get("/v1/images/img_a")
	for _, want := range []string{`"has_alpha":false`, `"content_type":"image/jpeg"`, `"create_time":"2026-03-01T12:00:00Z"`, `"filename":""`, `"size":"1"`} {
		if !strings.Contains(strings.ReplaceAll(body, ": ", ":"), want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	_, body = s.get("/v1/jobs/job_1")
	if strings.Contains(body, `"failure"`) || !strings.Contains(body, `"results":[]`) {
		t.Errorf("a job is written as %s", body)
	}
	if rsp, body := s.get("/v1/images"); rsp.StatusCode != 200 || !strings.Contains(body, `"images":[]`) {
		t.Errorf("an empty list is %d %s", rsp.StatusCode, body)
	}
}

func TestErrorsAreProblems(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		reason             string
		violation          string
	}{
		{"GET", "/nothing/here", "", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/v1/nothing", "", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/v1/images/img_none", "", 404, "NOT_FOUND", ""},
		{"GET", "/v1/images/img_none/original", "", 404, "NOT_FOUND", ""},
		{"GET", "/v1/images/img_none/variants/thumb", "", 404, "VARIANT_NOT_READY", ""},
		{"GET", "/v1/images?page_token=x", "", 400, "BAD_PAGE_TOKEN", ""},
		{"GET", "/v1/images?page_size=many", "", 400, "INVALID", ""},
		{"GET", "/v1/jobs?state=NONSENSE", "", 400, "INVALID", ""},
		{"GET", "/v1/jobs/job_x/events", "", 404, "NOT_FOUND", ""},
		{"GET", "/i/w_10/img_none.webp", "", 404, "NOT_FOUND", ""},
		{"GET", "/i/", "", 404, "ROUTE_NOT_FOUND", ""},
		{"PUT", "/v1/images", "", 405, "METHOD_NOT_ALLOWED", ""},
		{"POST", "/v1/images/img_1", "", 405, "METHOD_NOT_ALLOWED", ""},
		{"DELETE", "/v1/images/img_1/original", "", 405, "METHOD_NOT_ALLOWED", ""},
		{"POST", "/v1/nodes", "", 405, "METHOD_NOT_ALLOWED", ""},
		{"GET", "/v1/jobs/job_1:cancel", "", 405, "METHOD_NOT_ALLOWED", ""},
		{"POST", "/v1/jobs", "{not json", 400, "BAD_JSON", ""},
		{"POST", "/v1/jobs", `{"image_id": 5}`, 400, "BAD_JSON", ""},
		{"POST", "/v1/jobs", `{"image":"img_1"}`, 400, "UNKNOWN_FIELD", "image"},
		{"POST", "/v1/jobs", `{"recipe":{"variants":[{"name":"a"},{"name":"b","output":{"qualty":80}}]}}`, 400, "UNKNOWN_FIELD", "recipe.variants[1].output.qualty"},
		{"POST", "/v1/jobs", `{"image_id":"img_1","preset":"nonsense"}`, 400, "UNKNOWN_PRESET", "preset"},
		{"POST", "/v1/jobs", `{"image_id":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "TOO_LARGE", ""},
		{"POST", "/v1/jobs/job_ended:cancel", "", 409, "JOB_ENDED", ""},
		{"GET", "/" + strings.Repeat("x", 9000), "", 414, "URI_TOO_LONG", ""},
		{"GET", "/v1/images/%ff", "", 400, "BAD_ADDRESS", ""},
		{"GET", "/v1/greeter/hello?name=%ff", "", 400, "BAD_ADDRESS", ""},
		{"GET", "/v1/jobs/%ff/events", "", 400, "BAD_ADDRESS", ""},
		{"GET", "/i/w_%ff/img_1.jpg", "", 400, "BAD_ADDRESS", ""},
		{"POST", "/v1/images?preset=%ff", "x", 400, "BAD_ADDRESS", ""},
	} {
		rsp, body := s.do(s.request(c.method, c.path, strings.NewReader(c.body)))
		d := s.wantProblem(rsp, body, c.status, c.reason)
		if c.violation != "" && (len(d.Errors) != 1 || d.Errors[0].Path != c.violation) {
			t.Errorf("%s %s: violations %+v, want %s", c.method, c.path, d.Errors, c.violation)
		}
		if allow := rsp.Header.Get("Allow"); (c.status == 405) != (allow != "") {
			t.Errorf("%s %s: Allow is %q", c.method, c.path, allow)
		}
	}
}

func TestMethods(t *testing.T) {
	s := newStage(t)
	rsp, body := s.do(s.request("OPTIONS", "/v1/images", nil))
	if rsp.StatusCode != 204 || body != "" || rsp.Header.Get("Allow") != "GET, HEAD, OPTIONS, POST" {
		t.Errorf("OPTIONS gave %d, Allow %q", rsp.StatusCode, rsp.Header.Get("Allow"))
	}
	rsp, body = s.do(s.request("HEAD", "/v1/greeter/hello", nil))
	if rsp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD gave %d %q", rsp.StatusCode, body)
	}
	rsp, body = s.do(s.request("HEAD", "/v1/images/img_none", nil))
	if rsp.StatusCode != 404 || body != "" {
		t.Errorf("HEAD of nothing gave %d %q", rsp.StatusCode, body)
	}
}

func TestJobsAreCreatedCancelledAndRetried(t *testing.T) {
	s := newStage(t)
	rsp, body := s.post("/v1/jobs", `{"image_id":"img_1","preset":"web"}`, "Idempotency-Key", "key-1")
	if rsp.StatusCode != 201 || rsp.Header.Get("Location") != "/v1/jobs/job_1" || !strings.Contains(body, `"state":"QUEUED"`) {
		t.Errorf("creating gave %d %v %s", rsp.StatusCode, rsp.Header, body)
	}
	if got := s.images.ordered[0].GetIdempotencyKey(); got != "key-1" {
		t.Errorf("the idempotency key arrived as %q", got)
	}
	s.post("/v1/jobs", `{"image_id":"img_1","preset":"web"}`)
	if got := s.images.ordered[1].GetIdempotencyKey(); got == "" {
		t.Error("a job without a key cannot be asked for again when a node dies")
	}
	for _, path := range []string{"/v1/jobs/job_1:cancel", "/v1/jobs/job_1:retry"} {
		for _, in := range []string{"", "{}"} {
			if rsp, body := s.post(path, in); rsp.StatusCode != 200 {
				t.Errorf("%s with %q: %d %s", path, in, rsp.StatusCode, body)
			}
		}
	}
}

func TestRequestIDs(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct {
		sent string
		kept bool
	}{{"sane-id_0.1", true}, {"", false}, {"short", false}, {strings.Repeat("x", 200), false}, {"with space in it", false}, {"<script>alert</script>", false}} {
		rsp, _ := s.get("/v1/images", "X-Request-Id", c.sent)
		got := rsp.Header.Get("X-Request-Id")
		if (got == c.sent) != c.kept || got == "" {
			t.Errorf("sent %q, was answered %q", c.sent, got)
		}
		s.images.mu.Lock()
		last := s.images.seen[len(s.images.seen)-1]
		s.images.mu.Unlock()
		if arrived, _ := metadata.Get(last, "X-Request-Id"); arrived != got {
			t.Errorf("the service saw %q, the client %q", arrived, got)
		}
	}
}

// The caller's trace goes on, and its id is where a person with a problem looks.
func TestTraces(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.Tracing.Sampler = "none" })
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	rsp, body := s.get("/v1/images/img_none", "Traceparent", "00-"+id+"-00f067aa0ba902b7-01")
	if d := s.wantProblem(rsp, body, 404, "NOT_FOUND"); d.TraceID != id || rsp.Header.Get("X-Trace-Id") != id {
		t.Errorf("the trace is %q in the document and %q in the header", d.TraceID, rsp.Header.Get("X-Trace-Id"))
	}
	md, _ := metadata.FromContext(s.images.seen[0])
	if !strings.Contains(md["Traceparent"], id) {
		t.Errorf("the service was told %v", md)
	}
	if rsp, _ := s.get("/v1/images"); len(rsp.Header.Get("X-Trace-Id")) != 32 {
		t.Errorf("a trace of our own is %q", rsp.Header.Get("X-Trace-Id"))
	}
}

func TestOnlyListedHeadersReachTheServices(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.HTTP.ForwardHeaders = []string{"Accept-Language"} })
	s.images.keep("img_1", "", []byte("x"))
	headers := []string{"Authorization", "Bearer secret", "Cookie", "a=b", "X-Evil", "1", "Grpc-Metadata-Evil", "1", "Grpc-Timeout", "1n",
		"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil", "Accept-Language", "de", "Uber-Trace-Id", "junk"}
	for _, path := range []string{"/v1/images", "/v1/images/img_1/variants/thumb"} { // one transcoded, one by hand
		if rsp, body := s.get(path, headers...); rsp.StatusCode >= 500 {
			t.Fatalf("%s: %d %s", path, rsp.StatusCode, body)
		}
		s.images.mu.Lock()
		md, _ := metadata.FromContext(s.images.seen[len(s.images.seen)-1])
		s.images.mu.Unlock()
		for name, value := range md {
			switch strings.ToLower(name) {
			case "accept-language":
				if value != "de" {
					t.Errorf("%s: Accept-Language arrived as %q", path, value)
				}
			case "x-request-id", "user-agent", "timeout", "grpc-accept-encoding":
			default:
				t.Errorf("%s: %s: %q reached the service", path, name, value)
			}
		}
		if md["Accept-Language"] == "" && md["accept-language"] == "" {
			t.Errorf("%s: the listed header did not arrive: %v", path, md)
		}
	}
}

func TestOtherOrigins(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.HTTP.Origins = []string{"https://pages.example"} })
	preflight := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "idempotency-key"}
	rsp, _ := s.do(s.request("OPTIONS", "/v1/images", nil, append(preflight, "Origin", "https://pages.example")...))
	if h := rsp.Header; h.Get("Access-Control-Allow-Origin") != "https://pages.example" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
		!strings.EqualFold(h.Get("Access-Control-Allow-Headers"), "idempotency-key") || rsp.StatusCode/100 != 2 {
		t.Errorf("the preflight of a listed origin: %d %v", rsp.StatusCode, h)
	}
	rsp, _ = s.do(s.request("OPTIONS", "/v1/images", nil, append(preflight, "Origin", "https://evil.example")...))
	if got := rsp.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the preflight of a stranger is let through to %q", got)
	}
	rsp, body := s.post("/v1/jobs", `{"image_id":"img_1","preset":"web"}`, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	s.wantProblem(rsp, body, 403, "CROSS_ORIGIN")
	rsp, body = s.post("/v1/jobs", `{"image_id":"img_1","preset":"web"}`, "Origin", "https://pages.example", "Sec-Fetch-Site", "cross-site")
	if rsp.StatusCode != 201 || rsp.Header.Get("Access-Control-Allow-Origin") != "https://pages.example" {
		t.Errorf("a listed origin: %d %s", rsp.StatusCode, body)
	}
	if exposed := rsp.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "X-Request-Id") {
		t.Errorf("pages cannot read %q", exposed)
	}
}

func TestPagesAndDescriptions(t *testing.T) {
	s := newStage(t)
	for path, want := range map[string]string{
		"/": "<title>Calotype</title>", "/docs": "<title>Calotype API</title>", "/static/console.js": "import", "/static/style.css": ":root",
		"/static/mark.svg": "<svg", "/openapi.json": `"openapi": "3.0.3"`, "/healthz": "ok", "/readyz": `"ready": true`, "/metrics": "calotype_build_info",
	} {
		rsp, body := s.get(path)
		if rsp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, without %q", path, rsp.StatusCode, want)
		}
		if etag := rsp.Header.Get("ETag"); etag != "" {
			if rsp, _ := s.get(path, "If-None-Match", etag); rsp.StatusCode != 304 {
				t.Errorf("%s again: %d", path, rsp.StatusCode)
			}
		}
	}
	if _, body := s.get("/"); strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the console reaches for another server")
	}
}

// Every route of the document is served, and takes the methods that the document says.
func TestTheDocumentIsTrue(t *testing.T) {
	s := newStage(t)
	_, body := s.get("/openapi.json")
	var doc struct {
		Paths map[string]map[string]any
	}
	s.must(json.Unmarshal([]byte(body), &doc))
	if len(doc.Paths) < 15 {
		t.Fatalf("the document has %d paths", len(doc.Paths))
	}
	for template, ops := range doc.Paths {
		path := strings.NewReplacer("{id}", "x", "{name}", "y", "{options}", "w_1", "{file}", "x.png").Replace(template)
		rsp, _ := s.do(s.request("PATCH", path, nil))
		allow := strings.Split(rsp.Header.Get("Allow"), ", ")
		if rsp.StatusCode != 405 {
			t.Errorf("PATCH %s: %d", path, rsp.StatusCode)
		}
		for method := range ops {
			if !slices.Contains(allow, strings.ToUpper(method)) {
				t.Errorf("%s is said to take %s; it takes %v", template, method, allow)
			}
		}
	}
}

func TestNodes(t *testing.T) {
	s := newStage(t)
	rsp, body := s.get("/v1/nodes")
	var list struct {
		Nodes []struct {
			Service, ID, Address, Version, State string
			Metadata                             map[string]string
			Heartbeat                            string `json:"heartbeat_age"`
		}
	}
	s.must(json.Unmarshal([]byte(body), &list))
	var services []string
	for _, n := range list.Nodes {
		services = append(services, n.Service)
		if n.ID == "" || n.Address == "" || n.Version == "" || n.State != "ready" || n.Heartbeat == "" {
			t.Errorf("a node lacks something: %+v", n)
		}
	}
	want := []string{"calotype-gateway", "calotype-greeter", "calotype-image", "calotype-image-worker", "calotype-storage"}
	if rsp.StatusCode != 200 || !slices.Equal(services, want) {
		t.Errorf("got %d %v", rsp.StatusCode, services)
	}
}

func TestHTTP2InClearText(t *testing.T) {
	s := newStage(t)
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	rsp, err := tr.RoundTrip(s.request("GET", "/v1/greeter/hello", nil))
	s.must(err)
	defer rsp.Body.Close()
	if rsp.ProtoMajor != 2 || rsp.StatusCode != 200 {
		t.Errorf("got HTTP/%d %d", rsp.ProtoMajor, rsp.StatusCode)
	}
}

func TestANodeThatIsAwayIs503WithRetryAfter(t *testing.T) {
	s := newStage(t)
	s.must(s.host.Registry.Deregister(mustService(t, s, "calotype-greeter")))
	deadline := time.Now().Add(10 * time.Second)
	for {
		rsp, body := s.get("/v1/greeter/hello")
		if rsp.StatusCode == 503 {
			s.wantProblem(rsp, body, 503, "UNAVAILABLE")
			if rsp.Header.Get("Retry-After") == "" || bytes.Contains([]byte(body), []byte("127.0.0.1")) {
				t.Errorf("headers %v, body %s", rsp.Header, body)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %d %s", rsp.StatusCode, body)
		}
	}
}

func TestCapabilitiesComeFromAWorker(t *testing.T) {
	s := newStage(t)
	rsp, body := s.get("/v1/capabilities")
	var c struct {
		Engine  string `json:"engine_version"`
		Limits  map[string]string
		Formats []struct {
			Name   string
			Read   *bool
			Reason string
		}
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil || rsp.StatusCode != 200 || c.Engine != "7" || c.Limits["pixels"] != "64000000" ||
		len(c.Formats) != 1 || c.Formats[0].Read == nil || c.Formats[0].Reason != "not allowed" {
		t.Errorf("got %d %s", rsp.StatusCode, body)
	}
}
