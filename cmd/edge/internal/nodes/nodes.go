// Package nodes remembers the nodes of a service in a file, for a start at which the registry does not answer. It asks no registry.
package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"go-micro.dev/v4/registry"
)

// Addresses gives the addresses of nodes that speak plain HTTP, each once, in order.
func Addresses(list []*registry.Node) []string {
	var out []string
	for _, n := range list {
		if p := n.Metadata["protocol"]; p != "" && p != "http" {
			continue
		}
		if host, port, err := net.SplitHostPort(n.Address); err == nil && host != "" && port != "" {
			out = append(out, n.Address)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// File holds the last list.
type File string

type content struct {
	Addresses []string `json:"addresses"`
}

// Read gives the last list; none where there is no file.
func (f File) Read() ([]string, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the last list of nodes: %w", err)
	}
	var c content
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("reading the last list of nodes, %s: %w", f, err)
	}
	return slices.DeleteFunc(c.Addresses, func(a string) bool {
		_, _, err := net.SplitHostPort(a)
		return err != nil
	}), nil
}

// Write replaces the file as a whole.
func (f File) Write(addresses []string) (err error) {
	b, err := json.Marshal(content{addresses})
	if err != nil {
		return fmt.Errorf("keeping the list of nodes: %w", err)
	}
	return Replace(string(f), append(b, '\n'))
}

// Replace writes a file under another name and then gives it its own, so that nobody ever reads half of it.
func Replace(path string, b []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
