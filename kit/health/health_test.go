package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"calotype/kit/health"
)

var cfg = health.Config{Interval: 10 * time.Second, Timeout: time.Second}

// pass lets the time of a synctest bubble go by.
func pass(d time.Duration) { <-time.After(d) }

func answers(up *atomic.Bool) health.Check {
	return func(context.Context) error {
		if up.Load() {
			return nil
		}
		return errors.New("away")
	}
}

func TestChecksArePolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := health.New(cfg)
		defer c.Close()
		if c.Ready() {
			t.Error("no service has come yet, and it is ready")
		}
		c.Gate("service").Set(true)
		if !c.Ready() {
			t.Error("nothing is asked, and yet it is not ready")
		}
		var up atomic.Bool
		c.Add("database", answers(&up))
		if c.Ready() {
			t.Error("ready before the first answer")
		}
		synctest.Wait()
		if c.Ready() || c.Report().Checks["database"].Error != "away" {
			t.Errorf("%+v", c.Report())
		}
		up.Store(true)
		pass(cfg.Interval)
		synctest.Wait()
		if !c.Ready() || !c.Report().Checks["database"].OK {
			t.Errorf("%+v", c.Report())
		}
		since := c.Report().Checks["database"].Since
		pass(3 * cfg.Interval)
		synctest.Wait()
		if !c.Report().Checks["database"].Since.Equal(since) {
			t.Error("since moves with every answer")
		}
	})
}

func TestAHangingOrPanickingCheckFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := health.New(cfg)
		defer c.Close()
		let := make(chan struct{})
		var runs atomic.Int32
		c.Add("deaf", func(context.Context) error { runs.Add(1); <-let; return nil })
		c.Add("polite", func(ctx context.Context) error { <-ctx.Done(); return nil })
		c.Add("mad", func(context.Context) error { panic("oops") })
		pass(5 * cfg.Interval)
		synctest.Wait()
		r := c.Report()
		if r.Ready || !strings.Contains(r.Checks["deaf"].Error, "no answer within 1s") || !strings.Contains(r.Checks["mad"].Error, "oops") || r.Checks["polite"].OK {
			t.Errorf("%+v", r)
		}
		if runs.Load() != 1 {
			t.Errorf("a check that hangs was run %d times at once", runs.Load())
		}
		close(let)
		pass(2 * cfg.Interval)
		synctest.Wait()
		if !c.Report().Checks["deaf"].OK {
			t.Error("a check that recovered does not count")
		}
	})
}

func TestGatesAndWatchers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := health.New(cfg)
		defer c.Close()
		a, b := c.Gate("a"), c.Gate("b")
		var seen []bool
		c.OnChange(func() { seen = append(seen, a.Ready()) })
		a.Set(true)
		if c.Ready() || !a.Ready() || b.Ready() {
			t.Error("one of two gates is open")
		}
		b.Set(true)
		if !c.Ready() {
			t.Error("both gates are open")
		}
		var up atomic.Bool
		up.Store(true)
		c.Add("database", answers(&up))
		synctest.Wait()
		up.Store(false)
		pass(cfg.Interval)
		synctest.Wait()
		if a.Ready() {
			t.Error("a service is ready whose check fails")
		}
		if len(seen) == 0 || seen[0] || seen[len(seen)-1] || !slices.Contains(seen, true) {
			t.Errorf("the watcher saw %v", seen)
		}
	})
}

func TestHTTP(t *testing.T) {
	c := health.New(cfg)
	defer c.Close()
	g := c.Gate("greeter")
	get := func(h http.HandlerFunc) (int, string) {
		w := httptest.NewRecorder()
		h(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w.Code, w.Body.String()
	}
	if code, body := get(c.Live); code != 200 || body != "ok\n" {
		t.Errorf("alive: %d %s", code, body)
	}
	code, body := get(c.ServeReady)
	var r health.Report
	if err := json.Unmarshal([]byte(body), &r); err != nil || code != 503 || r.Ready || r.Checks["service greeter"].Error != "starting or draining" {
		t.Errorf("not ready: %d %s %v", code, body, err)
	}
	g.Set(true)
	if code, body := get(c.ServeReady); code != 200 || !strings.Contains(body, `"ready": true`) {
		t.Errorf("ready: %d %s", code, body)
	}
}

func TestTwoChecksOfOneNameArePanic(t *testing.T) {
	c := health.New(cfg)
	defer c.Close()
	ok := func(context.Context) error { return nil }
	c.Add("x", ok)
	defer func() {
		if recover() == nil {
			t.Error("a second check of the same name was taken")
		}
	}()
	c.Add("x", ok)
}

func TestANoteHasNoSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := health.New(cfg)
		defer c.Close()
		c.Gate("storage").Set(true)
		c.Note("object store", func(context.Context) error { return errors.New("away") })
		synctest.Wait()
		r := c.Report()
		if told := r.Checks["object store"]; !r.Ready || told.OK || !told.Note || told.Error != "away" {
			t.Errorf("the report is %+v, want a ready process and what the note says", r)
		}
	})
}
