//go:build cluster

package cluster

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "golang.org/x/image/webp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	greeterv1 "calotype/proto/greeter/v1"
	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
)

func upload(t *testing.T, c *caller.Caller, key string, query url.Values, data []byte) *imagev1.CreateImageResponse {
	t.Helper()
	a, err := c.Upload(within(t, patience), key, query, data)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, a, http.StatusCreated, &imagev1.CreateImageResponse{})
}

// TestPhotographs uploads what people have and looks at every variant's pixels' number, and its bytes.
func TestPhotographs(t *testing.T) {
	c := front(t)
	for _, p := range []struct {
		file, format  string
		width, height int32
		pages         int32
	}{
		{"photo.jpg", "jpeg", 1200, 900, 1},
		{"photo.heic", "heic", 640, 480, 1},
		{"banana.gif", "gif", 121, 128, 8},
		{"orientation-6.jpg", "jpeg", 120, 80, 1},
		{"alpha.png", "png", 0, 0, 1},
	} {
		t.Run(p.file, func(t *testing.T) {
			data := picture(t, p.file)
			made := upload(t, c, "", url.Values{"preset": {"web"}, "variants": {"pixels:w_100,h_100/f_png"}}, data)
			im := made.Image
			if im.Format != p.format || im.Pages != p.pages || p.width != 0 && (im.Width != p.width || im.Height != p.height) {
				t.Errorf("it is taken for %v", im)
			}
			job := ended(t, c, made.Job.Id)
			if job.State != imagev1.Job_SUCCEEDED || len(job.Results) != 6 {
				t.Fatalf("the job ended %v with %d results: %v", job.State, len(job.Results), job.Failure)
			}
			for _, r := range job.Results {
				a := get(t, c, "/v1/images/"+im.Id+"/variants/"+r.Name)
				sum := sha256.Sum256(a.Body)
				if a.Status != http.StatusOK || hex.EncodeToString(sum[:]) != r.Digest || a.Header.Get("Content-Type") != r.ContentType {
					t.Errorf("variant %s is %v %s; the job says %v", r.Name, a.Status, a.Header.Get("Content-Type"), r)
				}
				got, format, err := image.DecodeConfig(bytes.NewReader(a.Body))
				if err != nil || format != r.Format || got.Width != int(r.Width) || got.Height != int(r.Height) {
					t.Errorf("variant %s is %s %dx%d (%v), the job says %v", r.Name, format, got.Width, got.Height, err, r)
				}
				if ratio := float64(r.Width) / float64(r.Height) * float64(im.Height) / float64(im.Width); ratio < 0.95 || ratio > 1.05 {
					t.Errorf("variant %s is %dx%d, of an original of %dx%d", r.Name, r.Width, r.Height, im.Width, im.Height)
				}
			}
			if a := get(t, c, "/v1/images/"+im.Id+"/original"); !bytes.Equal(a.Body, data) {
				t.Errorf("the original comes back as %d of %d bytes", len(a.Body), len(data))
			}
		})
	}
}

// TestRanges reads a part of an original, and asks again with its ETag.
func TestRanges(t *testing.T) {
	c := front(t)
	data := picture(t, "photo.jpg")
	path := "/v1/images/" + upload(t, c, "", nil, data).Image.Id + "/original"
	a, err := c.Send(within(t, patience), http.MethodGet, path, http.Header{"Range": {"bytes=1000-1999"}}, nil)
	if err != nil || a.Status != http.StatusPartialContent || !bytes.Equal(a.Body, data[1000:2000]) {
		t.Errorf("a range: %v, %d with %d bytes", err, a.Status, len(a.Body))
	}
	a, err = c.Send(within(t, patience), http.MethodGet, path, http.Header{"If-None-Match": {a.Header.Get("Etag")}}, nil)
	if err != nil || a.Status != http.StatusNotModified {
		t.Errorf("with the ETag %q: %v, %v", a.Header.Get("Etag"), err, a)
	}
}

// TestProblems asks for what cannot be, and looks at how it is told.
func TestProblems(t *testing.T) {
	c := front(t)
	for what, p := range map[string]struct {
		method, path, body string
		status             int
		reason             string
	}{
		"no such image":             {http.MethodGet, "/v1/images/img_none", "", 404, "IMAGE_NOT_FOUND"},
		"no such job":               {http.MethodGet, "/v1/jobs/job_none", "", 404, "JOB_NOT_FOUND"},
		"no such route":             {http.MethodGet, "/v1/nothing", "", 404, "ROUTE_NOT_FOUND"},
		"another method":            {http.MethodPut, "/v1/images", "", 405, "METHOD_NOT_ALLOWED"},
		"no JSON":                   {http.MethodPost, "/v1/jobs", "{", 400, "BAD_JSON"},
		"a field that is not known": {http.MethodPost, "/v1/jobs", `{"imageid": "x"}`, 400, "UNKNOWN_FIELD"},
		"no picture":                {http.MethodPost, "/v1/images", "this is no picture", 415, "UNSUPPORTED_FORMAT"},
		"an empty file":             {http.MethodPost, "/v1/images", "", 400, ""},
		"a preset that is not":      {http.MethodPost, "/v1/images?preset=nothing", string(picture(t, "gray.jpg")), 400, "UNKNOWN_PRESET"},
		"options that are not":      {http.MethodGet, "/i/w_none/img_none.jpg", "", 400, ""},
	} {
		a, err := c.Send(within(t, patience), p.method, p.path, http.Header{"Content-Type": {"application/octet-stream"}}, strings.NewReader(p.body))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		d := a.Problem()
		if a.Status != p.status || d.Status != p.status || p.reason != "" && d.Reason != p.reason || d.Reason == "" || d.RequestID == "" ||
			d.RequestID != a.Header.Get("X-Request-Id") || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %v %v", what, a, a.Header)
		}
	}
}

// TestHostileFiles uploads what harms: each is refused with a reason, and the next photograph is processed as if nothing had been.
func TestHostileFiles(t *testing.T) {
	c := front(t)
	for _, name := range []string{"bomb-20000.png", "laughs.svg", "frames-5000.gif", "header-65535.png", "truncated.jpg", "postscript.jpg", "size-17000.avif"} {
		a, err := c.Upload(within(t, patience), "", url.Values{"preset": {"web"}}, picture(t, "bad/"+name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.Status == http.StatusCreated { // damage that only the pixels show is told by the job
			made := read(t, a, http.StatusCreated, &imagev1.CreateImageResponse{})
			if job := ended(t, c, made.Job.Id); job.State != imagev1.Job_FAILED || job.Failure.GetReason() != "BROKEN_IMAGE" {
				t.Errorf("%s: %v %v", name, job.State, job.Failure)
			}
			continue
		}
		if !slices.Contains([]int{413, 415, 422}, a.Status) || a.Problem().Detail == "" {
			t.Errorf("%s: %v", name, a)
		}
	}
	made := upload(t, c, "", url.Values{"preset": {"thumb"}}, picture(t, "photo.jpg"))
	if job := ended(t, c, made.Job.Id); job.State != imagev1.Job_SUCCEEDED {
		t.Errorf("after them, a photograph ended %v: %v", job.State, job.Failure)
	}
}

// TestOneKeyOneJob uploads the same under one key twice, and another under it.
func TestOneKeyOneJob(t *testing.T) {
	c := front(t)
	key := "e2e-" + strings.ToLower(t.Name()) + "-" + unique()
	query := url.Values{"preset": {"thumb"}}
	one, again := upload(t, c, key, query, picture(t, "photo.jpg")), upload(t, c, key, query, picture(t, "photo.jpg"))
	if one.Job.Id != again.Job.Id || one.Image.Id != again.Image.Id {
		t.Errorf("%v and %v", one, again)
	}
	a, err := c.Upload(within(t, patience), key, query, picture(t, "gray.jpg"))
	if err != nil || a.Status != http.StatusUnprocessableEntity || a.Problem().Reason != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("another under the same key: %v, %v", err, a)
	}
}

// TestTLS speaks HTTP/2 and gRPC to the same port, by the certificate that was made for this machine.
func TestTLS(t *testing.T) {
	roots := x509.NewCertPool()
	if file := env("E2E_CA", filepath.Join(env("E2E_SECRETS", "../../../deploy/secrets"), "tls", "ca.pem")); !roots.AppendCertsFromPEM(content(t, file)) {
		t.Fatalf("%s holds no certificate", file)
	}
	address := env("E2E_TLS", "127.0.0.1:8443")
	c := caller.New("https://" + address)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	c.HTTP.Transport = transport
	t.Cleanup(transport.CloseIdleConnections)
	a := get(t, c, "/v1/greeter/hello?name=World")
	if read(t, a, http.StatusOK, &greeterv1.HelloResponse{}).Message == "" || a.Proto != "HTTP/2.0" {
		t.Errorf("by %s: %v", a.Proto, a)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if m, err := greeterv1.NewGreeterClient(conn).Hello(within(t, patience), &greeterv1.HelloRequest{Name: "World"}); err != nil || m.GetNode().GetId() == "" {
		t.Errorf("gRPC over TLS: %v, %v", m, err)
	}
}
