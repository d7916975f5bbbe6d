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

	"calotype/kit/registry/follow"
)

// Addresses gives the addresses of nodes that speak plain HTTP, each once, in order: a list for each datacenter, one's own first.
func Addresses(list []*registry.Node) [][]string {
	var out [][]string
	for _, n := range list {
		if p := n.Metadata["protocol"]; p != "" && p != "http" {
			continue
		}
		host, port, err := net.SplitHostPort(n.Address)
		if err != nil || host == "" || port == "" {
			continue
		}
		order := follow.PlaceOf(n).Order
		for len(out) <= order {
			out = append(out, nil)
		}
		out[order] = append(out[order], n.Address)
	}
	for i := range out {
		slices.Sort(out[i])
		out[i] = slices.Compact(out[i])
	}
	return out
}

// File holds the last lists.
type File string

type content struct {
	Addresses []string   `json:"addresses"`
	Elsewhere [][]string `json:"elsewhere,omitempty"` // in other datacenters
}

// Read gives the last lists; none where there is no file.
func (f File) Read() ([][]string, error) {
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
	lists := append([][]string{c.Addresses}, c.Elsewhere...)
	for i := range lists {
		lists[i] = slices.DeleteFunc(lists[i], func(a string) bool {
			_, _, err := net.SplitHostPort(a)
			return err != nil
		})
	}
	return lists, nil
}

// Write replaces the file as a whole.
func (f File) Write(lists [][]string) (err error) {
	var c content
	if len(lists) > 0 {
		c = content{lists[0], lists[1:]}
	}
	b, err := json.Marshal(c)
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
