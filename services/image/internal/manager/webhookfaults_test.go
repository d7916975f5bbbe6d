package manager_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// A manager dies between sending a notice and noting it: another sends it again, under the same name.
func TestKilledBetweenSendingAndNoting(t *testing.T) {
	url, came := receive(t, nil)
	w, c := begin(t, still), newClock()
	id := w.fill(1, url, c.now())[0]
	byHand := func(_ *manager.WebhookConfig, parts *manager.WebhookParts) { parts.Now = c.now }
	asked := make(chan struct{}, 100)
	first := sending(t, &ill{notices: w.store, settle: func() error { asked <- struct{}{}; return fault.New(fault.Unavailable, "", "away") }}, byHand)
	a := <-came
	<-asked
	first.kill()
	second := sending(t, w.store, byHand)
	second.Wake()
	if n, err := second.Get(t.Context(), id); err != nil || n.State != job.WebhookPending || n.Attempts != 0 || !n.Due.After(c.now()) {
		t.Errorf("after the death: %+v, %v", n, err)
	}
	c.set(c.now().Add(time.Minute))
	second.Wake()
	w.noticed(second, id, stands(job.WebhookDelivered, 1))
	if b := <-came; a.id != string(id) || b.id != a.id || string(b.body) != string(a.body) {
		t.Errorf("came as %+v and as %+v", a, b)
	}
}

// ill is a store that does not always answer.
type ill struct {
	notices
	settle func() error
	claim  func() error
}

type notices = job.Webhooks

func (s *ill) Settle(ctx context.Context, id job.WebhookID, attempts int, o job.WebhookOutcome) error {
	if s.settle != nil {
		if err := s.settle(); err != nil {
			return err
		}
	}
	return s.notices.Settle(ctx, id, attempts, o)
}

func (s *ill) Claim(ctx context.Context, now, until time.Time, limit int) ([]job.Webhook, error) {
	if s.claim != nil {
		if err := s.claim(); err != nil {
			return nil, err
		}
	}
	return s.notices.Claim(ctx, now, until, limit)
}

// A store that does not answer is waited for, and what was delivered is not sent again meanwhile.
func TestStoreIsWaitedFor(t *testing.T) {
	url, came := receive(t, nil)
	w := begin(t, still)
	ids := w.fill(3, url, time.Now())
	var mu sync.Mutex
	left := map[string]int{"claim": 2, "settle": 9}
	fails := func(what string) func() error {
		return func() error {
			mu.Lock()
			defer mu.Unlock()
			if left[what]--; left[what] >= 0 {
				return fault.New(fault.Unavailable, "STORE_UNAVAILABLE", "away")
			}
			return nil
		}
	}
	p := sending(t, &ill{notices: w.store, claim: fails("claim"), settle: fails("settle")}, nil)
	for _, id := range ids {
		w.noticed(p, id, stands(job.WebhookDelivered, 1))
	}
	if p.stop(); len(came) != len(ids) {
		t.Errorf("%d came of %d", len(came), len(ids))
	}
}

func TestDrainEndsWhatItBegan(t *testing.T) {
	hold := make(chan struct{})
	url, came := receive(t, func(http.ResponseWriter, *http.Request) { <-hold })
	w := begin(t, still)
	id := w.fill(1, url, time.Now())[0]
	p := sending(t, w.store, nil)
	<-came
	drained := make(chan struct{})
	go func() { p.stop(); close(drained) }()
	select {
	case <-drained:
		t.Error("it left while it was sending")
	case <-time.After(50 * time.Millisecond): // long enough for a wrong drain to end
	}
	close(hold)
	<-drained
	if n, err := p.Get(t.Context(), id); err != nil || !stands(job.WebhookDelivered, 1)(n) {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestCutOffIsNoAttempt(t *testing.T) {
	hold := make(chan struct{})
	url, came := receive(t, func(http.ResponseWriter, *http.Request) { <-hold })
	t.Cleanup(func() { close(hold) })
	w := begin(t, still)
	id := w.fill(1, url, time.Now())[0]
	p := sending(t, w.store, nil)
	<-came
	p.kill()
	if n, err := p.Get(t.Context(), id); err != nil || !stands(job.WebhookPending, 0)(n) || n.Answer != "" {
		t.Errorf("%+v, %v", n, err)
	}
}

// Receivers that hang have their share of what is sent at once, and no more.
func TestSlowReceiversHoldUpNobody(t *testing.T) {
	hold := make(chan struct{})
	slow, slowCame := receive(t, func(http.ResponseWriter, *http.Request) { <-hold })
	slower, slowerCame := receive(t, func(http.ResponseWriter, *http.Request) { <-hold })
	good, goodCame := receive(t, nil)
	w, now := begin(t, still), time.Now()
	w.fill(20, slow, now.Add(-time.Hour))
	w.fill(20, slower, now.Add(-time.Hour))
	ids := w.fill(10, good, now.Add(-time.Minute))
	p := sending(t, w.store, func(cfg *manager.WebhookConfig, _ *manager.WebhookParts) {
		cfg.Concurrency, cfg.PerHost, cfg.Timeout = 8, 3, 4*time.Minute
	})
	began := time.Now()
	eventually(t, "the notices to the good receiver", func() bool { return len(goodCame) == len(ids) })
	t.Logf("10 delivered beside 40 that hang in %v", time.Since(began))
	if a, b := len(slowCame), len(slowerCame); a != 3 || b != 3 {
		t.Errorf("%d and %d hang; want 3 and 3", a, b)
	}
	w.noticed(p, ids[len(ids)-1], stands(job.WebhookDelivered, 1))
	close(hold)
}

// Managers on one store share the work, and each notice comes once.
func TestTwoManagersSendEachOnce(t *testing.T) {
	url, came := receive(t, nil)
	w := begin(t, still)
	ids := w.fill(60, url, time.Now())
	a, b := sending(t, w.store, nil), sending(t, w.store, nil)
	eventually(t, "the notices", func() bool { return len(came) >= len(ids) })
	a.stop()
	b.stop()
	seen, n := map[string]bool{}, len(came)
	for len(came) > 0 {
		seen[(<-came).id] = true
	}
	left, err := w.store.Webhooks(t.Context(), job.WebhookFilter{State: job.WebhookDelivered}, "", 1000)
	if err != nil || len(seen) != len(ids) || n != len(ids) || len(left) != len(ids) {
		t.Errorf("%d came of %d, %d times; %d are noted as delivered, %v", len(seen), len(ids), n, len(left), err)
	}
}

func TestWebhookMetrics(t *testing.T) {
	status := http.StatusOK
	url, _ := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	w, registry := begin(t, still), prometheus.NewPedanticRegistry()
	p := sending(t, w.store, func(_ *manager.WebhookConfig, parts *manager.WebhookParts) { parts.Metrics = registry })
	for _, c := range []struct {
		status int
		holds  func(job.Webhook) bool
	}{{200, stands(job.WebhookDelivered, 1)}, {410, stands(job.WebhookFailed, 1)}, {500, stands(job.WebhookPending, 1)}} {
		status = c.status
		id := w.fill(1, url, time.Now())[0]
		p.Wake()
		w.noticed(p, id, c.holds)
	}
	p.stop()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if c := m.GetCounter(); c != nil {
				got[m.GetLabel()[0].GetValue()] = c.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				got[f.GetName()] = float64(h.GetSampleCount())
			}
		}
	}
	if got["delivered"] != 1 || got["failed"] != 1 || got["retried"] != 1 || got["calotype_webhooks_seconds"] < 2 {
		t.Errorf("counted %v", got)
	}
}

func TestWebhookSettings(t *testing.T) {
	cfg := manager.DefaultWebhookConfig()
	if f := cfg.Validate(); len(f) > 0 {
		t.Errorf("the default: %v", f)
	}
	text, err := cfg.Retries.MarshalText()
	if err != nil || string(text) != "5s,5m,30m,2h,5h,10h,14h,20h,24h" {
		t.Errorf("%s, %v", text, err)
	}
	var read manager.Pauses
	if err := read.UnmarshalText([]byte(" 5s, 1m30s,")); err != nil || len(read) != 2 || read[1] != 90*time.Second {
		t.Errorf("%v, %v", read, err)
	}
	if err := read.UnmarshalText(nil); err != nil || len(read) != 0 {
		t.Errorf("%v, %v", read, err)
	}
	if err := read.UnmarshalText([]byte("5s,soon")); err == nil {
		t.Error("soon was taken")
	}
	bad := manager.WebhookConfig{Timeout: time.Hour, PerHost: 1, Retries: manager.Pauses{-1}}
	if f := bad.Validate(); len(f) != 4 {
		t.Errorf("found %v", f)
	}
}
