package blobclient_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func TestTheUnusedAreFoundAndDeleted(t *testing.T) {
	s, _ := start(t)
	put := func(name string) job.Digest {
		t.Helper()
		if err := s.Put(t.Context(), digest([]byte(name)), []byte(name)); err != nil {
			t.Fatal(err)
		}
		return digest([]byte(name))
	}
	var old []job.Digest
	for i := range 10 {
		old = append(old, put(fmt.Sprint("old ", i)))
	}
	touched, again := put("touched"), put("again")
	since := time.Now()
	if err := s.Touch(t.Context(), touched); err != nil {
		t.Fatal(err)
	}
	put("again")
	young := put("young")

	unused := func() (found []job.Digest) {
		t.Helper()
		for token, pages := "", 0; pages == 0 || token != ""; pages++ {
			page, next, err := s.Unused(t.Context(), since, token, 3)
			if err != nil || len(page) > 3 || pages > 20 {
				t.Fatalf("page %d: %d blobs, %v", pages, len(page), err)
			}
			found, token = append(found, page...), next
		}
		return found
	}
	slices.Sort(old)
	if got := unused(); !slices.Equal(got, old) {
		t.Errorf("unused are %v, want %v", got, old)
	}
	for _, d := range append(slices.Clone(old), old...) { // what is not there is no fault
		if err := s.Delete(t.Context(), d, since); err != nil {
			t.Errorf("deleting: %v", err)
		}
	}
	for _, d := range []job.Digest{touched, again, young} {
		if err := s.Delete(t.Context(), d, since); !fault.Is(err, fault.Conflict) || fault.ReasonOf(err) != "BLOB_IN_USE" {
			t.Errorf("deleting what is in use: %v", err)
		}
		if err := s.Delete(t.Context(), d, time.Time{}); fault.ReasonOf(err) != "BLOB_IN_USE" {
			t.Errorf("deleting since the zero time: %v", err)
		}
		if err := s.Touch(t.Context(), d); err != nil {
			t.Errorf("touching: %v", err)
		}
	}
	if got := unused(); len(got) > 0 {
		t.Errorf("still unused: %v", got)
	}
	if err := s.Touch(t.Context(), old[0]); !fault.Is(err, fault.NotFound) || fault.ReasonOf(err) != "BLOB_NOT_FOUND" {
		t.Errorf("touching what was deleted: %v", err)
	}
}
