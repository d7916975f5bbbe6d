package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imagev1 "calotype/proto/image/v1"
)

// patience bounds every wait: what has not come true by then does not. It is generous because these machines are slow, and
// costs nothing when all is well.
const patience = 60 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks again until there is no error.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) problem() (p struct {
	Status    int    `json:"status"`
	Reason    string `json:"reason"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
}) {
	_ = json.Unmarshal(a.body, &p)
	return p
}

func send(ctx context.Context, method, url string, header http.Header, body io.Reader) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return answer{}, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

func get(t *testing.T, url string) answer {
	t.Helper()
	a, err := send(within(t), http.MethodGet, url, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(t *testing.T, a answer, status int, into proto.Message) {
	t.Helper()
	if a.status != status {
		t.Fatalf("answered %d, not %d: %s", a.status, status, a.body)
	}
	if err := protojson.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// upload posts a picture; key may be empty.
func upload(ctx context.Context, base, key string, query url.Values, data []byte) (answer, error) {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return send(ctx, http.MethodPost, base+"/v1/images?"+query.Encode(), header, bytes.NewReader(data))
}

// process uploads a picture with a preset and waits for its job to end.
func process(t *testing.T, base, preset string, data []byte) (*imagev1.Image, *imagev1.Job) {
	t.Helper()
	a, err := upload(within(t), base, "", url.Values{"preset": {preset}}, data)
	if err != nil {
		t.Fatal(err)
	}
	made := &imagev1.CreateImageResponse{}
	read(t, a, http.StatusCreated, made)
	return made.Image, ended(t, base, made.Job.Id)
}

func ended(t *testing.T, base, id string) *imagev1.Job {
	t.Helper()
	job := &imagev1.Job{}
	eventually(t, id+" ends", func() error {
		a, err := send(within(t), http.MethodGet, base+"/v1/jobs/"+id, nil, nil)
		if err != nil {
			return err
		}
		if err := protojson.Unmarshal(a.body, job); err != nil {
			return fmt.Errorf("%d: %s", a.status, a.body)
		}
		switch job.State {
		case imagev1.Job_SUCCEEDED, imagev1.Job_FAILED, imagev1.Job_CANCELLED, imagev1.Job_DEAD:
			return nil
		}
		return fmt.Errorf("it is %v", job.State)
	})
	return job
}

// download fetches a finished variant and checks it against what the job says of it.
func download(t *testing.T, base string, job *imagev1.Job, r *imagev1.Result) []byte {
	t.Helper()
	a := get(t, base+"/v1/images/"+job.ImageId+"/variants/"+r.Name)
	sum := sha256.Sum256(a.body)
	if a.status != http.StatusOK || hex.EncodeToString(sum[:]) != r.Digest || int64(len(a.body)) != r.Size || a.header.Get("Content-Type") != r.ContentType {
		t.Errorf("variant %s: %d, %d bytes of %s, sha256 %x; the job says %v", r.Name, a.status, len(a.body), a.header.Get("Content-Type"), sum, r)
	}
	return a.body
}
