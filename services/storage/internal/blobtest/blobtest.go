// Package blobtest is what every blob.Store must do: run it against each adapter, and against the service as its callers see it.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// Subject is an empty store and what only its owner can do to it.
type Subject struct {
	Store blob.Store
	// Damage changes the stored bytes of a blob behind the store's back; nil returned bytes stand for none at all.
	Damage func(t *testing.T, d blob.Digest, change func([]byte) []byte)
	// Leftovers names what unfinished Puts have left on the medium.
	Leftovers func(t *testing.T) []string
	// Beside is another store on the same medium, as another process has it; nil when there can be none.
	Beside blob.Store
	// Blind says that the store does not tell the outcome of a Put.
	Blind bool
}

// Run checks a store. Open makes a fresh Subject for each check and cleans up by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T, s Subject)
	}{
		{"gives back what was put", roundTrip},
		{"put again changes nothing", putAgain},
		{"broken promises store nothing", brokenPromises},
		{"a broken source stores nothing", brokenSource},
		{"a cancelled put stores nothing", cancelledPut},
		{"ended contexts", endedContext},
		{"sections", sections},
		{"missing blobs", missing},
		{"delete", deletes},
		{"touch", touches},
		{"delete of the unused", deletesUnused},
		{"delete while others use it", deleteInUse},
		{"list", lists},
		{"list while others delete", listWhileDeleting},
		{"equal puts at once", equalPuts},
		{"different work at once", mixedWork},
		{"damage is noticed", damage},
		{"damage is healed by a put", healing},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			c.check(t, s)
			// A server learns a little later that its caller has left.
			again, late := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
			defer again.Stop()
			for left := s.Leftovers(t); len(left) > 0; left = s.Leftovers(t) {
				select {
				case <-again.C:
				case <-late:
					t.Fatalf("left behind: %v", left)
				}
			}
		})
	}
}

// Content gives n bytes that differ for each seed and do not compress.
func Content(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1], key[2], key[3] = byte(seed), byte(seed>>8), byte(seed>>16), byte(seed>>24)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// DigestOf names a content.
func DigestOf(b []byte) blob.Digest { return sha256.Sum256(b) }

func put(t *testing.T, s Subject, b []byte) blob.Info {
	t.Helper()
	info, _, err := s.Store.Put(t.Context(), bytes.NewReader(b), blob.Want{})
	if err != nil {
		t.Fatalf("putting %d bytes: %v", len(b), err)
	}
	return info
}

func read(ctx context.Context, s blob.Store, d blob.Digest, offset, length int64) (blob.Info, []byte, error) {
	return readPart(ctx, s, d, blob.Part{Offset: offset, Length: length})
}

func readPart(ctx context.Context, s blob.Store, d blob.Digest, part blob.Part) (blob.Info, []byte, error) {
	info, r, err := s.Open(ctx, d, part)
	if err != nil {
		return info, nil, err
	}
	b, err := io.ReadAll(r)
	return info, b, errors.Join(err, r.Close())
}

func wantFault(t *testing.T, err error, k fault.Kind, reason string) {
	t.Helper()
	if err == nil || !fault.Is(err, k) || fault.ReasonOf(err) != reason {
		t.Errorf("got %v, want %v %s", err, k, reason)
	}
}

func wantMissing(t *testing.T, s Subject, d blob.Digest) {
	t.Helper()
	_, err := s.Store.Stat(t.Context(), d)
	wantFault(t, err, fault.NotFound, "BLOB_NOT_FOUND")
}

// unused leaves out of an Info what changes with every use.
func unused(i blob.Info) blob.Info {
	i.Used = time.Time{}
	return i
}

func (s Subject) wantOutcome(t *testing.T, got, want blob.Outcome) {
	t.Helper()
	if got != want && !s.Blind {
		t.Errorf("the outcome is %v, want %v", got, want)
	}
}

// wantStored checks that a content is there, by all ways to learn of it.
func wantStored(t *testing.T, s Subject, b []byte) blob.Info {
	t.Helper()
	d := DigestOf(b)
	info, got, err := read(t.Context(), s.Store, d, 0, 0)
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("reading %s back: %d bytes of %d, %v", d, len(got), len(b), err)
	}
	stat, err := s.Store.Stat(t.Context(), d)
	if err != nil || stat != info || info.Digest != d || info.Size != int64(len(b)) {
		t.Fatalf("Open describes it as %+v, Stat as %+v, %v; it is %s of %d bytes", info, stat, err, d, len(b))
	}
	for name, at := range map[string]time.Time{"created": info.Created, "used": info.Used} {
		if age := time.Since(at); age < -time.Minute || age > time.Hour {
			t.Errorf("was %s %v ago", name, age)
		}
	}
	if info.Used.Before(info.Created) {
		t.Errorf("was used at %v, before it was created at %v", info.Used, info.Created)
	}
	return info
}
