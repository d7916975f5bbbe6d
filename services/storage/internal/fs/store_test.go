package fs_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	storefs "calotype/services/storage/internal/fs"
)

func open(t *testing.T, root string) *storefs.Store {
	t.Helper()
	s, err := storefs.Open(storefs.Config{Root: root}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// temporaries lists all files in the folder for temporaries, and what is in it that is no folder.
func temporaries(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(root, "tmp"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func path(root string, d blob.Digest) string {
	return filepath.Join(root, "blobs", d.String()[:2], d.String())
}

func TestStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Subject {
		root := filepath.Join(t.TempDir(), "not", "there", "yet")
		return blobtest.Subject{
			Store:     open(t, root),
			Beside:    open(t, root),
			Leftovers: func(t *testing.T) []string { return temporaries(t, root) },
			Damage: func(t *testing.T, d blob.Digest, change func([]byte) []byte) {
				b, err := os.ReadFile(path(root, d))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(path(root, d)); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path(root, d), change(b), 0o600); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// The order is what makes a crash harmless; only a real loss of power could show a wrong one from outside.
func TestStepsOfAPut(t *testing.T) {
	s := open(t, t.TempDir())
	b := blobtest.Content(1, 10_000)
	for _, want := range [][]string{
		{"created", "wrote", "synced", "renamed", "folder synced", "discarded"},
		{"created", "wrote", "verified", "discarded"},
	} {
		var steps []string
		s.OnStep(func(name string) { steps = append(steps, name) })
		if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(steps, want) {
			t.Errorf("steps %v, want %v", steps, want)
		}
	}
}

func TestNoNameBeforeTheBytesAreWhole(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	b := blobtest.Content(1, 1<<20)
	name := path(root, blobtest.DigestOf(b))
	seen := map[string]bool{}
	s.OnStep(func(step string) {
		if got, err := os.ReadFile(name); err == nil {
			seen[step] = true
			if !bytes.Equal(got, b) {
				t.Errorf("after %q a wrong file has the real name", step)
			}
		}
	})
	if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
		t.Fatal(err)
	}
	if seen["created"] || seen["wrote"] || seen["synced"] || !seen["renamed"] {
		t.Errorf("the real name was there after the steps %v", seen)
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode() != 0o440 {
		t.Errorf("the blob's mode is %v, %v", fi.Mode(), err)
	}
}

func TestFullDisk(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	full := true
	s.OnCreate(func(folder string) (*os.File, error) {
		if !full {
			return os.CreateTemp(folder, "")
		}
		// A link, because what a Put leaves is removed by its name.
		link := filepath.Join(folder, "full")
		if err := os.Symlink("/dev/full", link); err != nil {
			return nil, err
		}
		return os.OpenFile(link, os.O_WRONLY, 0)
	})
	b := blobtest.Content(1, 1<<20)
	_, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{})
	if fault.ReasonOf(err) != "STORAGE_FULL" || !fault.Is(err, fault.Exhausted) {
		t.Errorf("a full disk gave %v", err)
	}
	if left := temporaries(t, root); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.Writable(t.Context()); err != nil {
		t.Errorf("a full disk takes the node out of service: %v", err)
	}
	full = false
	if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestRoomIsLeftOnTheDisk(t *testing.T) {
	root := t.TempDir()
	s, err := storefs.Open(storefs.Config{Root: root, MinFree: 1 << 60}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, _, err = s.Put(t.Context(), strings.NewReader("x"), blob.Want{})
	if fault.ReasonOf(err) != "STORAGE_FULL" {
		t.Errorf("a put into the last free room gave %v", err)
	}
	free, err := s.Free()
	if err != nil || free <= 0 {
		t.Fatalf("free: %d, %v", free, err)
	}
	_, _, err = open(t, root).Put(t.Context(), iotest.ErrReader(context.Canceled), blob.Want{Size: 1 << 60})
	if fault.ReasonOf(err) != "STORAGE_FULL" {
		t.Errorf("a promise of more than the disk has gave %v, want it refused before the first byte", err)
	}
}

func TestUnwritableRoot(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	if err := s.Writable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "tmp")); err != nil {
		t.Fatal(err)
	}
	if err := s.Writable(t.Context()); err == nil {
		t.Error("is ready without a place to write to")
	}
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below"), "/proc/nowhere/at/all"} {
		if s, err := storefs.Open(storefs.Config{Root: bad}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("opened in %s: %v", bad, s)
		}
	}
}

func TestForeignFilesAreNoBlobs(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	b := blobtest.Content(1, 100)
	if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00/readme.txt", "00/" + blob.Digest{1}.String(), "ff/" + strings.Repeat("F", 64)} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, "blobs", name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "blobs", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.List(t.Context(), blob.Digest{}, 10); err != nil || len(all) != 1 || all[0].Digest != blobtest.DigestOf(b) {
		t.Errorf("listed %v, %v", all, err)
	}
}

// A page whose blobs are deleted while it is made is filled up with those that follow: a short page means the end.
func TestPagesStayFull(t *testing.T) {
	s := open(t, t.TempDir())
	// All in the first shard: found by trying.
	var all []blob.Digest
	for i := uint64(0); len(all) < 9; i++ {
		b := blobtest.Content(i, 100)
		if d := blobtest.DigestOf(b); d[0] == 0 {
			if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
				t.Fatal(err)
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, blob.Digest.Compare)
	gone := 0
	s.OnStep(func(step string) {
		if step == "picked" && gone < 2 {
			if err := s.Delete(t.Context(), all[gone], time.Time{}); err != nil {
				t.Error(err)
			}
			gone++
		}
	})
	page, err := s.List(t.Context(), blob.Digest{}, 3)
	var got []blob.Digest
	for _, info := range page {
		got = append(got, info.Digest)
	}
	// The first was deleted before it was described, the second after.
	if err != nil || !slices.Equal(got, all[1:4]) {
		t.Errorf("listed %v, %v; want %v", got, err, all[1:4])
	}
}
