package rabbitmq

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"calotype/services/image/internal/job"
)

func some(n int, class job.Class, together, size int) (all []job.Message) {
	for i := range n {
		all = append(all, job.Message{
			Class: class, ID: fmt.Sprintf("%s %d", class, i), Together: together, Headers: map[string]string{"k": fmt.Sprint(i), "": ""}, Body: make([]byte, size+i),
		})
	}
	return all
}

func TestBundlesHoldWhatMayTravelTogether(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []job.Message
		want     []int
	}{
		{"none", nil, nil},
		{"each alone", some(3, job.Bulk, 0, 10), []int{1, 1, 1}},
		{"as many as may", some(7, job.Bulk, 3, 10), []int{3, 3, 1}},
		{"of one class", append(some(3, job.Bulk, 4, 10), some(2, job.Normal, 4, 10)...), []int{3, 2}},
		{"none and normal are one class", append(some(1, "", 4, 10), some(2, job.Normal, 4, 10)...), []int{3}},
		{"not too large", some(5, job.Bulk, 16, bundleBytes/2-10), []int{2, 2, 1}},
		{"too large by itself", some(2, job.Bulk, 16, 2*bundleBytes), []int{1, 1}},
	} {
		var sizes []int
		for _, b := range bundles(c.messages) {
			sizes = append(sizes, len(b))
		}
		if d := cmp.Diff(c.want, sizes); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestBundlesComeApartAsTheyWere(t *testing.T) {
	sent := some(5, job.Bulk, 5, 0)
	p := together(sent, time.Now())
	if p.Type != bundleType || p.MessageId != sent[0].ID || p.Headers[headerClass] != "bulk" {
		t.Errorf("it is sent as %+v", p)
	}
	got, err := apart(p.Body, job.Bulk)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sent {
		sent[i].Together = 0
	}
	if d := cmp.Diff(sent, got); d != "" {
		t.Error(d)
	}
	whole := 0
	for n := range len(p.Body) {
		if got, err := apart(p.Body[:n], job.Bulk); err == nil {
			if whole++; len(got) != whole {
				t.Errorf("%d of %d bytes give %d messages", n, len(p.Body), len(got))
			}
		}
	}
	if whole != len(sent)-1 {
		t.Errorf("%d of the beginnings are bundles, want those after each message but the last", whole)
	}
}

func TestDepthCountsWhatIsInBundles(t *testing.T) {
	var l loads
	if n := l.in("q", 7); n != 7 {
		t.Errorf("of a queue that nothing was sent to: %d", n)
	}
	for range 100 {
		l.sent("q", 8)
	}
	if n := l.in("q", 7); n != 56 {
		t.Errorf("of bundles of 8: %d", n)
	}
	for range 100 {
		l.sent("q", 1)
	}
	if n := l.in("q", 7); n != 7 {
		t.Errorf("of single messages, after bundles: %d", n)
	}
}
