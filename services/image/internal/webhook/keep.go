package webhook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keep reads the secret in a file, which only its owner may read, and makes it at the first time. Of several processes that begin at
// once, all get the same.
func keep(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return "", fmt.Errorf("making a secret for webhooks: %w", err)
		}
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("reading the secret for webhooks: %w", err)
	}
	text := strings.TrimSpace(string(b))
	if k, faults := readKeys(text); len(k) == 0 || len(faults) > 0 {
		return "", fmt.Errorf("the file %s holds no secret for webhooks; remove it, and one is made", path)
	}
	return text, nil
}

// create writes a whole file or none, and leaves one that is there.
func create(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".secret-*") // for its owner only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(newSecret() + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
