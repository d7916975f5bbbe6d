package blobtest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/services/storage/internal/blob"
)

// fill puts n small blobs and gives their digests in order.
func fill(t *testing.T, s Subject, n int) []blob.Digest {
	t.Helper()
	all := make([]blob.Digest, n)
	var g errgroup.Group
	g.SetLimit(8)
	for i := range all {
		g.Go(func() error {
			info, _, err := s.Store.Put(t.Context(), bytes.NewReader(Content(uint64(i), i)), blob.Want{})
			all[i] = info.Digest
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, blob.Digest.Compare)
	return all
}

func lists(t *testing.T, s Subject) {
	if page, err := s.Store.List(t.Context(), blob.Digest{}, 10); err != nil || len(page) != 0 {
		t.Fatalf("an empty store lists %v, %v", page, err)
	}
	all := fill(t, s, 150)
	for _, limit := range []int{1, 2, 7, 100, 149, 150, 151, 1000} {
		var got []blob.Digest
		for after, more := (blob.Digest{}), true; more; {
			page, err := s.Store.List(t.Context(), after, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("a page of %d has %d blobs, %v", limit, len(page), err)
			}
			for _, info := range page {
				if stat, err := s.Store.Stat(t.Context(), info.Digest); err != nil || stat != info {
					t.Fatalf("is listed as %+v, Stat says %+v, %v", info, stat, err)
				}
				got = append(got, info.Digest)
				after = info.Digest
			}
			more = len(page) == limit
		}
		if !slices.Equal(got, all) {
			t.Errorf("in pages of %d: %d blobs, want %d in order", limit, len(got), len(all))
		}
	}
	// From a digest that is not there, too.
	page, err := s.Store.List(t.Context(), blob.Digest{0x80}, 1000)
	i, _ := slices.BinarySearchFunc(all, blob.Digest{0x80}, blob.Digest.Compare)
	if err != nil || len(page) != len(all)-i || page[0].Digest != all[i] {
		t.Errorf("from the middle: %d blobs, %v; want %d", len(page), err, len(all)-i)
	}
}

// What is deleted between two pages must not end the list early or make another blob be missed.
func listWhileDeleting(t *testing.T, s Subject) {
	all := fill(t, s, 120)
	var kept, got []blob.Digest
	for i, d := range all {
		if i%3 != 0 {
			kept = append(kept, d)
		}
	}
	done := make(chan error, 1)
	go func() {
		for i := 0; i < len(all); i += 3 {
			if err := s.Store.Delete(t.Context(), all[i], time.Time{}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for after, more := (blob.Digest{}), true; more; {
		page, err := s.Store.List(t.Context(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range page {
			after = info.Digest
			if _, is := slices.BinarySearchFunc(kept, info.Digest, blob.Digest.Compare); is {
				got = append(got, info.Digest)
			}
		}
		more = len(page) == 10
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, kept) {
		t.Errorf("of %d blobs that stayed %d were listed", len(kept), len(got))
	}
}
