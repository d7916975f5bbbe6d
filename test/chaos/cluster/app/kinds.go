package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	_ "image/jpeg" // what transforms are asked for
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/caller"
	"calotype/test/chaos/internal/ledger"
	"calotype/test/chaos/internal/load"
)

// world is what the load works on.
type world struct {
	*caller.Caller
	greeter  greeterv1.GreeterClient
	run      string // parts this run's keys from those of others
	query    url.Values
	pictures [][]byte
	want     []map[string]string // by picture and variant, the sha256 of the result
	images   []string            // of the pictures
	cached   map[string]string   // by path, the sha256 of what is made on the fly there
	paths    []string            // of cached
	photo    string              // the image that new transforms are made of
	ledger   *ledger.Ledger
}

// kinds share the rate: callers who greet, look at pictures, and upload some.
func (w *world) kinds(perSecond float64) []load.Kind {
	return []load.Kind{
		{Name: "greeting", PerSecond: perSecond * 0.25, Deadline: 5 * time.Second, Ask: w.greet},
		{Name: "greeting by gRPC", PerSecond: perSecond * 0.2, Deadline: 5 * time.Second, Ask: w.greetRPC},
		{Name: "upload with a job", PerSecond: perSecond * 0.1, Deadline: 15 * time.Second, Ask: w.upload},
		{Name: "download", PerSecond: perSecond * 0.2, Deadline: 10 * time.Second, Ask: w.download},
		{Name: "picture on the fly, new", PerSecond: perSecond * 0.1, Deadline: 15 * time.Second, Ask: w.transform},
		{Name: "picture on the fly, known", PerSecond: perSecond * 0.15, Deadline: 10 * time.Second, Ask: w.known},
	}
}

func (w *world) greet(ctx context.Context, n int) (load.Outcome, string) {
	a, err := w.Get(ctx, fmt.Sprintf("/v1/greeter/hello?name=%d", n))
	if good, outcome, note := judge(a, err, http.StatusOK); !good {
		return outcome, note
	}
	if !strings.Contains(string(a.Body), fmt.Sprint(n)) {
		return load.Failed, "greeted somebody else: " + a.String()
	}
	return load.Good, ""
}

func (w *world) greetRPC(ctx context.Context, n int) (load.Outcome, string) {
	name := fmt.Sprint(n)
	m, err := w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: name})
	if err == nil {
		if !strings.Contains(m.GetMessage(), name) {
			return load.Failed, "greeted somebody else: " + m.GetMessage()
		}
		return load.Good, ""
	}
	st := status.Convert(err)
	for _, d := range st.Details() {
		if _, ok := d.(*errdetails.RetryInfo); ok && st.Code() == codes.Unavailable {
			return load.Refused, st.String()
		}
	}
	return load.Failed, st.String()
}

// unique is a picture that nobody has uploaded before, and whose variants are the same all the same: a comment is put into the JPEG.
func (w *world) unique(n int) (picture int, data []byte) {
	picture = n % len(w.pictures)
	comment := w.run + fmt.Sprintf("-%d", n)
	data = append([]byte{0xff, 0xd8, 0xff, 0xfe, byte((len(comment) + 2) >> 8), byte(len(comment) + 2)}, comment...)
	return picture, append(data, w.pictures[picture][2:]...)
}

func (w *world) upload(ctx context.Context, n int) (load.Outcome, string) {
	began := time.Now()
	picture, data := w.unique(n)
	sum := sha256.Sum256(data)
	e := &ledger.Entry{Key: fmt.Sprintf("%s-%d", w.run, n), Picture: picture, Original: hex.EncodeToString(sum[:])}
	a, err := w.Upload(ctx, e.Key, w.query, data)
	e.Took = time.Since(began)
	acknowledged := w.ledger.Take(e, a, err)
	if good, outcome, note := judge(a, err, http.StatusCreated); !good {
		return outcome, note
	}
	if acknowledged != nil {
		return load.Failed, acknowledged.Error()
	}
	return load.Good, ""
}

// download asks for a result, and every third time for an original.
func (w *world) download(ctx context.Context, n int) (load.Outcome, string) {
	picture := n % len(w.images)
	base := "/v1/images/" + w.images[picture]
	if n%3 > 0 {
		name := []string{"small", "square"}[n%2]
		return w.bytes(ctx, base+"/variants/"+name, w.want[picture][name])
	}
	sum := sha256.Sum256(w.pictures[picture])
	return w.bytes(ctx, base+"/original", hex.EncodeToString(sum[:]))
}

func (w *world) known(ctx context.Context, n int) (load.Outcome, string) {
	path := w.paths[n%len(w.paths)]
	return w.bytes(ctx, path, w.cached[path])
}

func (w *world) bytes(ctx context.Context, path, digest string) (load.Outcome, string) {
	a, err := w.Get(ctx, path)
	if good, outcome, note := judge(a, err, http.StatusOK); !good {
		return outcome, path + ": " + note
	}
	if sum := sha256.Sum256(a.Body); hex.EncodeToString(sum[:]) != digest {
		return load.Failed, fmt.Sprintf("%s: wrong bytes, request %s", path, a.Header.Get("X-Request-Id"))
	}
	return load.Good, ""
}

// transform asks for what nobody has asked for in this run: a width and a quality of their own.
func (w *world) transform(ctx context.Context, n int) (load.Outcome, string) {
	width, quality := 40+n%400, 40+(n/400)%55
	path := fmt.Sprintf("/i/w_%d,q_%d/%s.jpg", width, quality, w.photo)
	a, err := w.Get(ctx, path)
	if good, outcome, note := judge(a, err, http.StatusOK); !good {
		return outcome, path + ": " + note
	}
	if c, format, err := image.DecodeConfig(bytes.NewReader(a.Body)); err != nil || format != "jpeg" || c.Width != width {
		return load.Failed, fmt.Sprintf("%s: %v, a %s of width %d", path, err, format, c.Width)
	}
	return load.Good, ""
}

// judge looks at an answer's status; a good one's bytes are still to be looked at.
func judge(a caller.Answer, err error, status int) (good bool, _ load.Outcome, note string) {
	if err != nil {
		return false, load.Failed, err.Error()
	}
	if a.Status == status {
		return true, load.Good, ""
	}
	p := a.Problem()
	note = fmt.Sprintf("%d %s %s, request %s, trace %s", a.Status, p.Reason, p.Detail, a.Header.Get("X-Request-Id"), a.Header.Get("X-Trace-Id"))
	if p.Reason == "" {
		note += ": " + a.String()
	}
	if a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "" {
		return false, load.Refused, note
	}
	return false, load.Failed, note
}
