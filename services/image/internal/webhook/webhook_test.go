package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/webhook"
)

const (
	first  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	second = "whsec_dGhlIHNlY29uZCBzZWNyZXQsIG9mIDM2IGJ5dGVzIHRvdGFs"
)

func newSender(t *testing.T, change ...func(*webhook.Config)) *webhook.Sender {
	t.Helper()
	cfg := webhook.Config{Secrets: first, Allow: []string{"127.0.0.0/8"}}
	for _, f := range change {
		f(&cfg)
	}
	s, err := webhook.New(cfg, "1.2.3", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func secrets(all string) func(*webhook.Config) {
	return func(c *webhook.Config) { c.Secrets = config.Secret(all) }
}

// received is a request as a receiver got it.
type received struct {
	header http.Header
	body   []byte
}

// receiver answers with what a test says, and keeps what came.
func receiver(t *testing.T, answer http.HandlerFunc) (url string, came chan received) {
	t.Helper()
	came = make(chan received, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s, %v", r.Method, err)
		}
		came <- received{r.Header, body}
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/hook?token=hidden", came
}

func notice(url string) job.Webhook {
	return job.Webhook{ID: "whk_01JQ0000000000000000000000_4", Job: "job_01JQ0000000000000000000000", URL: url, Body: []byte(`{"type":"job.succeeded","data":{"name":"naïve \u003c"}}`)}
}

func send(t *testing.T, s *webhook.Sender, w job.Webhook) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return s.Send(ctx, w)
}

// verifies asks the standard's own library.
func verifies(t *testing.T, secret string, r received) bool {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(r.body, r.header) == nil
}

func TestSignedByTheStandard(t *testing.T) {
	url, came := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	w := notice(url)
	said, err := send(t, newSender(t), w)
	if err != nil || said != "answered 202 Accepted" {
		t.Fatalf("%q, %v", said, err)
	}
	r := <-came
	if !verifies(t, first, r) {
		t.Errorf("the standard's library does not take %v", r.header)
	}
	if verifies(t, second, r) {
		t.Error("it takes another secret's")
	}
	if string(r.body) != string(w.Body) || r.header.Get("webhook-id") != string(w.ID) || r.header.Get("Content-Type") != "application/json" || r.header.Get("User-Agent") != "Calotype/1.2.3" {
		t.Errorf("came as %v %s", r.header, r.body)
	}
	at, err := strconv.ParseInt(r.header.Get("webhook-timestamp"), 10, 64)
	if age := time.Since(time.Unix(at, 0)); err != nil || age < 0 || age > time.Minute {
		t.Errorf("timestamp %q", r.header.Get("webhook-timestamp"))
	}
	if _, there := r.header["Idempotency-Key"]; there {
		t.Error("a header was sent that is for net/http alone")
	}
	r.body[3]++
	if verifies(t, first, r) {
		t.Error("a changed body is taken")
	}
}

// The example of the standard's own libraries.
func TestKnownSignature(t *testing.T) {
	url, came := receiver(t, nil)
	at := time.Unix(1614265330, 0)
	s, err := webhook.New(webhook.Config{Secrets: first, Allow: []string{"127.0.0.1/32"}}, "1", func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := send(t, s, job.Webhook{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", URL: url, Body: []byte(`{"test": 2432232314}`)}); err != nil {
		t.Fatal(err)
	}
	if got := (<-came).header.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signed as %s", got)
	}
}

func TestRotation(t *testing.T) {
	url, came := receiver(t, nil)
	for text, want := range map[string][2]bool{
		first: {true, false}, second + "," + first: {true, true}, "\n" + second + "\r\n\t" + first + " ,\n": {true, true}, second: {false, true},
	} {
		if _, err := send(t, newSender(t, secrets(text)), notice(url)); err != nil {
			t.Fatal(err)
		}
		r := <-came
		if got := [2]bool{verifies(t, first, r), verifies(t, second, r)}; got != want {
			t.Errorf("%q: verified by the first and the second: %v, want %v", text, got, want)
		}
		if n := len(strings.Fields(r.header.Get("webhook-signature"))); n != strings.Count(text, "whsec") {
			t.Errorf("%d signatures", n)
		}
	}
	at := func() time.Time { return time.Unix(1_700_000_000, 0) }
	signatures := func(all string) []string {
		sender, err := webhook.New(webhook.Config{Secrets: config.Secret(all), Allow: []string{"127.0.0.0/8"}}, "1", at)
		if err != nil {
			t.Fatal(err)
		}
		defer sender.Close()
		if _, err := send(t, sender, notice(url)); err != nil {
			t.Fatal(err)
		}
		return strings.Fields((<-came).header.Get("webhook-signature"))
	}
	if both, alone := signatures(second+","+first), signatures(second); len(both) != 2 || both[0] != alone[0] || both[1] == both[0] {
		t.Errorf("the first secret does not sign first: %v, %v", both, alone)
	}
}

func TestAnswers(t *testing.T) {
	var status int
	var after string
	url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.Header().Set("Location", "http://10.0.0.1/")
		w.WriteHeader(status)
	})
	s := newSender(t)
	for _, c := range []struct {
		status int
		after  string
		reason string
		wait   time.Duration
		said   string
	}{
		{200, "", "", 0, "answered 200 OK"},
		{204, "", "", 0, "answered 204 No Content"},
		{299, "", "", 0, "answered 299 "},
		{301, "", "NOT_TAKEN", 0, "redirects are not followed"},
		{307, "", "NOT_TAKEN", 0, "redirects are not followed"},
		{304, "", "NOT_TAKEN", 0, "304"},
		{400, "", "NOT_TAKEN", 0, "answered 400 Bad Request"},
		{404, "", "NOT_TAKEN", 0, "404"},
		{410, "60", "RECEIVER_GONE", 0, "410 Gone: it wants no more"},
		{429, "120", "NOT_TAKEN", 2 * time.Minute, "429"},
		{503, time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "NOT_TAKEN", time.Hour, "503"},
		{503, time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), "NOT_TAKEN", 0, "503"},
		{503, "-5", "NOT_TAKEN", 0, "503"},
		{503, "99999999999999999999", "NOT_TAKEN", 0, "503"},
		{500, "soon", "NOT_TAKEN", 0, "500"},
	} {
		status, after = c.status, c.after
		said, err := send(t, s, notice(url))
		if c.reason == "" {
			if err != nil || said != c.said {
				t.Errorf("%d: %q, %v", c.status, said, err)
			}
			continue
		}
		f := fault.As(err)
		if f == nil || f.Reason != c.reason || !strings.Contains(f.Message, c.said) || fault.Transient(err) != (c.reason == "NOT_TAKEN") {
			t.Errorf("%d: %v", c.status, err)
			continue
		}
		if d := f.RetryAfter - c.wait; d < -5*time.Second || d > 5*time.Second {
			t.Errorf("%d, Retry-After %s: waits %v", c.status, c.after, f.RetryAfter)
		}
	}
}

func TestUnanswered(t *testing.T) {
	s := newSender(t)
	broken, _ := receiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	gone := httptest.NewServer(nil)
	gone.Close()
	foreign := httptest.NewUnstartedServer(nil)
	foreign.Config.ErrorLog = log.New(io.Discard, "", 0)
	foreign.StartTLS()
	t.Cleanup(foreign.Close)
	for url, want := range map[string]string{
		broken:                                "the connection broke before an answer came",
		gone.URL:                              "nobody listens there",
		foreign.URL:                           "its certificate is not trusted",
		"http://10.1.2.3:9200/x?token=hidden": "private or reserved",
		"http://a:secret@127.0.0.1/":          "user name",
	} {
		_, err := send(t, s, notice(url))
		f := fault.As(err)
		if f == nil || !strings.Contains(f.Message, want) || strings.Contains(f.Message, "hidden") || strings.Contains(f.Message, "10.1.2.3") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestTime(t *testing.T) {
	hold := make(chan struct{})
	url, came := receiver(t, func(http.ResponseWriter, *http.Request) { <-hold })
	t.Cleanup(func() { close(hold) })
	s := newSender(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Send(ctx, notice(url)); fault.ReasonOf(err) != "NOT_REACHED" || !strings.Contains(fault.As(err).Message, "in time") {
		t.Errorf("time ran out: %v", err)
	}
	<-came
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-came
		leave()
	}()
	if _, err := s.Send(ctx, notice(url)); !fault.Is(err, fault.Canceled) {
		t.Errorf("left: %v", err)
	}
}

// An answer of any length costs 64 KiB, and an endless one keeps nobody.
func TestAnswersAreReadInPart(t *testing.T) {
	ended := make(chan int, 1)
	url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		wrote := 0
		for {
			n, err := w.Write(make([]byte, 4096))
			if wrote += n; err != nil {
				ended <- wrote
				return
			}
		}
	})
	if said, err := send(t, newSender(t), notice(url)); err != nil || said != "answered 200 OK" {
		t.Errorf("%q, %v", said, err)
	}
	select {
	case n := <-ended:
		t.Logf("the receiver got rid of %d bytes", n)
	case <-time.After(20 * time.Second):
		t.Error("the receiver is still writing")
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	from := map[string]int{}
	url, came := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		from[r.RemoteAddr]++
		fmt.Fprint(w, strings.Repeat("thanks ", 1000))
	})
	s := newSender(t)
	for range 20 {
		if _, err := send(t, s, notice(url)); err != nil {
			t.Fatal(err)
		}
		<-came
	}
	if len(from) > 10 { // net/http gives one up now and then on a busy machine
		t.Errorf("%d connections for 20 notices", len(from))
	}
}
