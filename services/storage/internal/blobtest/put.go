package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

func roundTrip(t *testing.T, s Subject) {
	for i, n := range []int{0, 1, 2, 4095, 64<<10 - 1, 64 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7} {
		b := Content(uint64(i), n)
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(b), "by halves": iotest.HalfReader(bytes.NewReader(b)), "end with data": iotest.DataErrReader(bytes.NewReader(b)),
		} {
			info, _, err := s.Store.Put(t.Context(), r, blob.Want{Digest: DigestOf(b), Size: int64(n)})
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", n, name, err)
			}
			if stored := wantStored(t, s, b); stored != info {
				t.Errorf("%d bytes, %s: Put said %+v, Stat says %+v", n, name, info, stored)
			}
		}
	}
}

func putAgain(t *testing.T, s Subject) {
	b := Content(1, 100_000)
	first, outcome, err := s.Store.Put(t.Context(), bytes.NewReader(b), blob.Want{})
	if err != nil {
		t.Fatalf("the first put: %v", err)
	}
	s.wantOutcome(t, outcome, blob.Stored)
	last := first
	for range 3 {
		again, outcome, err := s.Store.Put(t.Context(), bytes.NewReader(b), blob.Want{Digest: first.Digest})
		if err != nil || !again.Used.After(last.Used) || unused(again) != unused(first) {
			t.Fatalf("again: %+v, %v; want %+v, used later than %v", again, err, first, last.Used)
		}
		s.wantOutcome(t, outcome, blob.Existed)
		last = again
	}
	if got := wantStored(t, s, b); got != last {
		t.Errorf("changed to %+v from %+v", got, last)
	}
}

func brokenPromises(t *testing.T, s Subject) {
	b, other := Content(1, 70_000), Content(2, 70_000)
	for name, c := range map[string]struct {
		want   blob.Want
		reason string
	}{
		"other digest":  {blob.Want{Digest: DigestOf(other)}, "DIGEST_MISMATCH"},
		"too few":       {blob.Want{Size: 70_001}, "SIZE_MISMATCH"},
		"too many":      {blob.Want{Size: 69_999}, "SIZE_MISMATCH"},
		"size of none":  {blob.Want{Digest: DigestOf(nil)}, "DIGEST_MISMATCH"},
		"right but cut": {blob.Want{Digest: DigestOf(b), Size: 69_999}, "SIZE_MISMATCH"},
	} {
		_, _, err := s.Store.Put(t.Context(), bytes.NewReader(b), c.want)
		t.Run(name, func(t *testing.T) { wantFault(t, err, fault.Invalid, c.reason) })
	}
	wantMissing(t, s, DigestOf(b))
	wantMissing(t, s, DigestOf(other))
}

func brokenSource(t *testing.T, s Subject) {
	b := Content(1, 3<<20)
	broken := errors.New("the source broke")
	for _, n := range []int64{0, 1, 1 << 20, 3 << 20} {
		_, _, err := s.Store.Put(t.Context(), io.MultiReader(io.LimitReader(bytes.NewReader(b), n), iotest.ErrReader(broken)), blob.Want{})
		if !errors.Is(err, broken) {
			t.Errorf("breaking after %d bytes gave %v", n, err)
		}
		wantMissing(t, s, DigestOf(b[:n]))
	}
}

func cancelledPut(t *testing.T, s Subject) {
	b := Content(1, 3<<20)
	for _, n := range []int64{0, 1, 1 << 20, 3<<20 - 1} {
		ctx, cancel := context.WithCancel(t.Context())
		leave := readerFunc(func([]byte) (int, error) { cancel(); return 0, ctx.Err() })
		_, _, err := s.Store.Put(ctx, io.MultiReader(io.LimitReader(bytes.NewReader(b), n), leave, bytes.NewReader(b[n:])), blob.Want{})
		if err == nil || !fault.Is(err, fault.Canceled) {
			t.Errorf("leaving after %d bytes gave %v", n, err)
		}
		wantMissing(t, s, DigestOf(b[:n]))
		wantMissing(t, s, DigestOf(b))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func equalPuts(t *testing.T, s Subject) {
	b := Content(1, 2<<20)
	outcomes := make([]blob.Outcome, 16)
	infos := make([]blob.Info, len(outcomes))
	var g errgroup.Group
	for i := range outcomes {
		g.Go(func() (err error) {
			infos[i], outcomes[i], err = s.Store.Put(t.Context(), bytes.NewReader(b), blob.Want{Digest: DigestOf(b)})
			if err != nil {
				return err
			}
			_, got, err := read(t.Context(), s.Store, infos[i].Digest, 0, 0)
			if err == nil && !bytes.Equal(got, b) {
				err = fmt.Errorf("%d bytes came back of %d", len(got), len(b))
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	stored := 0
	for _, o := range outcomes {
		if o == blob.Stored {
			stored++
		}
	}
	if stored != 1 && !s.Blind {
		t.Errorf("%d of %d equal puts stored it, want one: %v", stored, len(outcomes), outcomes)
	}
	info := wantStored(t, s, b)
	for i := range infos {
		if unused(infos[i]) != unused(info) || infos[i].Used.After(info.Used) {
			t.Errorf("put %d was told %+v, it is %+v", i, infos[i], info)
		}
	}
	if all, err := s.Store.List(t.Context(), blob.Digest{}, 10); err != nil || len(all) != 1 {
		t.Errorf("%d blobs are listed, %v; want one", len(all), err)
	}
}

// mixedWork puts, reads, lists and deletes at once: every read gives the right bytes or none.
func mixedWork(t *testing.T, s Subject) {
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error {
			for j := range 8 {
				b := Content(uint64(j), 50_000+j) // the same few, from all sides
				if _, _, err := s.Store.Put(t.Context(), bytes.NewReader(b), blob.Want{Digest: DigestOf(b)}); err != nil {
					return err
				}
				_, got, err := read(t.Context(), s.Store, DigestOf(b), 0, 0)
				if err == nil && !bytes.Equal(got, b) {
					return fmt.Errorf("%d bytes came back of %d", len(got), len(b))
				}
				if err != nil && !fault.Is(err, fault.NotFound) {
					return err
				}
				if _, err := s.Store.List(t.Context(), blob.Digest{}, 10); err != nil {
					return err
				}
				if (i+j)%2 == 0 {
					if err := s.Store.Delete(t.Context(), DigestOf(b), time.Time{}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}
