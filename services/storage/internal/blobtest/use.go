package blobtest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

func touches(t *testing.T, s Subject) {
	b, other := Content(1, 1000), Content(2, 1000)
	first, still := put(t, s, b), put(t, s, other)
	for last, n := first, 0; n < 3; n++ {
		began := time.Now()
		info, err := s.Store.Touch(t.Context(), first.Digest)
		if err != nil || info.Used.Before(began) || !info.Used.After(last.Used) || unused(info) != unused(first) {
			t.Fatalf("touched: %+v, %v; it was %+v", info, err, last)
		}
		if got := wantStored(t, s, b); got != info {
			t.Errorf("Touch said %+v, it is %+v", info, got)
		}
		last = info
	}
	if got := wantStored(t, s, other); got != still {
		t.Errorf("touching one blob changed another to %+v from %+v", got, still)
	}
	_, err := s.Store.Touch(t.Context(), DigestOf(nil))
	wantFault(t, err, fault.NotFound, "BLOB_NOT_FOUND")
	wantMissing(t, s, DigestOf(nil))
}

func deletesUnused(t *testing.T, s Subject) {
	remove := func(b []byte, unusedSince time.Time) error {
		return s.Store.Delete(t.Context(), DigestOf(b), unusedSince)
	}
	old, touched, again, young := Content(1, 1000), Content(2, 1000), Content(3, 1000), Content(4, 1000)
	put(t, s, old)
	put(t, s, touched)
	put(t, s, again)
	since := time.Now()
	if _, err := s.Store.Touch(t.Context(), DigestOf(touched)); err != nil {
		t.Fatal(err)
	}
	put(t, s, again)
	put(t, s, young)
	for range 2 {
		if err := remove(old, since); err != nil {
			t.Fatalf("an unused blob: %v", err)
		}
		wantMissing(t, s, DigestOf(old))
	}
	for _, b := range [][]byte{touched, again, young} {
		wantFault(t, remove(b, since), fault.Conflict, "BLOB_IN_USE")
		info := wantStored(t, s, b)
		wantFault(t, remove(b, info.Used), fault.Conflict, "BLOB_IN_USE") // before means before
		if err := remove(b, info.Used.Add(time.Hour)); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		wantMissing(t, s, DigestOf(b))
	}
}

// deleteInUse lets a blob that was unused so far be deleted for that reason while others put and touch it: who was told that it is
// there finds it there.
func deleteInUse(t *testing.T, s Subject) {
	stores := []blob.Store{s.Store, s.Store}
	if s.Beside != nil {
		stores[1] = s.Beside
	}
	kept, gone := 0, 0
	for round := range 60 {
		b := Content(uint64(round), 5000)
		d := put(t, s, b).Digest
		since := time.Now()
		var g errgroup.Group
		told := make(chan string, 4)
		for _, store := range stores {
			g.Go(func() error {
				_, err := store.Touch(t.Context(), d)
				if err == nil {
					told <- "touch"
				} else if fault.Is(err, fault.NotFound) {
					err = nil
				}
				return err
			})
			if round%2 == 0 {
				g.Go(func() error {
					_, _, err := store.Put(t.Context(), bytes.NewReader(b), blob.Want{Digest: d})
					told <- "put"
					return err
				})
			}
			g.Go(func() error {
				err := store.Delete(t.Context(), d, since)
				if fault.ReasonOf(err) == "BLOB_IN_USE" {
					err = nil
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		close(told)
		_, got, err := read(t.Context(), s.Store, d, 0, 0)
		switch {
		case err == nil && bytes.Equal(got, b):
			kept++
		case len(told) > 0:
			t.Fatalf("round %d: told that it is there by a %s, and it is not: %v", round, <-told, errors.Join(err, fmt.Errorf("%d bytes", len(got))))
		default:
			gone++
		}
	}
	t.Logf("kept %d times, deleted before anybody used it %d times", kept, gone)
}
