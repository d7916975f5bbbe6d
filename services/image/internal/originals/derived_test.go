package originals

import (
	"os"
	"path/filepath"
	"testing"

	"calotype/services/image/internal/job"
)

const key = job.Digest("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")

func TestWhatIsMadeOfOriginalsIsKept(t *testing.T) {
	var from storage
	s, _ := start(t, &from, func(c *Config) { c.Memory = 4000 })
	if s.Kept(key) != nil {
		t.Error("it is there before it was kept")
	}
	if s.Keep(key, []byte("a copy")); string(s.Kept(key)) != "a copy" || s.Bytes() != 6 {
		t.Errorf("kept %q in %d bytes", s.Kept(key), s.Bytes())
	}
	for range 5 {
		open(t, s, from.keep(1000)) // which needs its room
	}
	if s.Kept(key) != nil {
		t.Error("it stays though originals need the room")
	}
}

// A file is read after a restart, too, and dropped when it is not the one that was written under its name.
func TestWhatIsMadeOfOriginalsIsKeptOnDisk(t *testing.T) {
	var from storage
	folder := t.TempDir()
	change := func(c *Config) { c.Memory, c.Folder = 0, folder }
	s, stop := start(t, &from, change)
	s.Keep(key, []byte("a copy"))
	file := filepath.Join(folder, string(key))
	eventually(t, "the copy is written", func() bool { return s.disk.index.Has(key) })
	stop()
	s, _ = start(t, &from, change)
	if got := s.Kept(key); string(got) != "a copy" || cap(got) != len(got) {
		t.Errorf("after a restart %q", got)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[0]++
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.Kept(key); got != nil || s.disk.index.Has(key) {
		t.Errorf("damaged %q", got)
	}
	data[0]--
	other := key[1:] + "0"
	if err := os.WriteFile(filepath.Join(folder, string(other)), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.disk.index.Add(other, struct{}{}, int64(len(data)))
	if got := s.Kept(other); got != nil {
		t.Errorf("under another name %q", got)
	}
}
