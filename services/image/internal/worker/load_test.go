package worker

import (
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	s := newSlots(1, 4, time.Minute, nil)
	w := &Worker{Consumer: &Consumer{slots: s}}
	h, err := s.take(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.enter(jobs); err != nil { // the second job waits
		t.Fatal(err)
	}
	if slots, inFlight, waiting := w.Load(); slots != 2 || inFlight != 1 || waiting != 1 {
		t.Errorf("%d slots, %d in flight, %d waiting", slots, inFlight, waiting)
	}
	h.drop()
	if _, inFlight, waiting := w.Load(); inFlight != 1 || waiting != 0 {
		t.Errorf("%d in flight, %d waiting after the turn", inFlight, waiting)
	}
}
