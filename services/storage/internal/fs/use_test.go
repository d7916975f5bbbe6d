package fs_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
)

// Nobody touches or puts a blob between a Delete's look at it and its end, in another process neither; and who waits for that has a
// context that ends.
func TestNothingComesInBetweenLookAndDelete(t *testing.T) {
	root := t.TempDir()
	s, other := open(t, root), open(t, root)
	b := blobtest.Content(1, 1000)
	d := blobtest.DigestOf(b)
	if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
		t.Fatal(err)
	}
	later := make(chan error, 2)
	s.OnStep(func(step string) {
		if step != "found unused" {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		for name, touch := range map[string]func(context.Context, blob.Digest) (blob.Info, error){"this": s.Touch, "another": other.Touch} {
			if _, err := touch(ctx, d); err == nil || !fault.Is(err, fault.Deadline) {
				t.Errorf("a touch by %s store in the middle of a delete: %v", name, err)
			}
			go func() {
				_, err := touch(t.Context(), d)
				later <- err
			}()
		}
	})
	if err := s.Delete(t.Context(), d, time.Now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-later; !fault.Is(err, fault.NotFound) {
			t.Errorf("a touch after the delete: %v", err)
		}
	}
}

// A blob that is deleted after a Put found it whole is stored by that Put.
func TestDeletedWhileAPutVerifies(t *testing.T) {
	s := open(t, t.TempDir())
	b := blobtest.Content(1, 1000)
	for want, delete := range map[blob.Outcome]bool{blob.Stored: true, blob.Existed: false} {
		if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
			t.Fatal(err)
		}
		s.OnStep(func(step string) {
			if step == "verified" && delete {
				if err := s.Delete(t.Context(), blobtest.DigestOf(b), time.Now()); err != nil {
					t.Error(err)
				}
			}
		})
		_, outcome, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{})
		s.OnStep(func(string) {})
		if err != nil || outcome != want {
			t.Errorf("deleted %v: the put gave %v, %v", delete, outcome, err)
		}
		if _, err := s.Stat(t.Context(), blobtest.DigestOf(b)); err != nil {
			t.Errorf("deleted %v: was told it is there: %v", delete, err)
		}
	}
}

// Each use counts at once, but only the first of a minute waits for the disk.
func TestUsesAreSyncedOnceAMinute(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	b := blobtest.Content(1, 1000)
	d := blobtest.DigestOf(b)
	if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
		t.Fatal(err)
	}
	synced := 0
	s.OnStep(func(step string) {
		if step == "use synced" {
			synced++
		}
	})
	old := time.Now().Add(-3 * time.Hour)
	if err := os.Chtimes(path(root, d), old, old); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 5 {
		if info, err := s.Touch(t.Context(), d); err != nil || info.Used.Before(began) || info.Created.After(info.Used) {
			t.Fatalf("touched: %+v, %v", info, err)
		}
	}
	minutes := int(time.Now().Truncate(time.Minute).Sub(began.Truncate(time.Minute)) / time.Minute)
	if synced < 1 || synced > 1+minutes {
		t.Errorf("was synced %d times within %v", synced, time.Since(began))
	}
}

// A clock that was set back, or another node's, takes no use back; neither does what heals a damaged blob.
func TestUsesDoNotGoBack(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	b := blobtest.Content(1, 1000)
	name := path(root, blobtest.DigestOf(b))
	if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().Add(time.Hour).Truncate(time.Second)
	if err := os.Chtimes(name, ahead, ahead); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Touch(t.Context(), blobtest.DigestOf(b)); err != nil || !info.Used.Equal(ahead) {
		t.Errorf("touched: %+v, %v; want it used at %v", info, err, ahead)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, ahead, ahead); err != nil {
		t.Fatal(err)
	}
	if info, outcome, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil || outcome != blob.Healed || !info.Used.Equal(ahead) {
		t.Errorf("healed: %+v, %v, %v; want it used at %v", info, outcome, err, ahead)
	}
}

// A folder that was copied with its files' times knows no earlier time than those.
func TestCopiedFolder(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	b := blobtest.Content(1, 1000)
	name, old := path(root, blobtest.DigestOf(b)), time.Now().Add(-100*time.Hour).Truncate(time.Second)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	info, err := s.Stat(t.Context(), blobtest.DigestOf(b))
	if err != nil || !info.Used.Equal(old) || !info.Created.Equal(old) {
		t.Errorf("%+v, %v; want it created and used at %v", info, err, old)
	}
	if info, err = s.Touch(t.Context(), blobtest.DigestOf(b)); err != nil || info.Used.Equal(old) {
		t.Errorf("touched: %+v, %v", info, err)
	}
}
