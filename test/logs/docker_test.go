package logs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	piece   = 16 << 10 // Docker cuts longer lines
	largest = 64 << 10 // of a file, after which the next is begun: soon, so that it happens here
	kept    = 40       // files of a container
)

// engine keeps what containers write as Docker's json-file driver does with the options of docker-compose.yml, and remembers all of it.
type engine struct {
	t       *testing.T
	folder  string // in the place of /var/lib/docker/containers
	mu      sync.Mutex
	written []Line
	turns   int
}

// container is one whose lines are kept.
type container struct {
	engine        *engine
	name, service string
	project       string
	path          string
	mu            sync.Mutex
	file          *os.File
	size          int
}

func (e *engine) container(name, service, project string) *container {
	e.t.Helper()
	folder := filepath.Join(e.folder, fmt.Sprintf("%x", name))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		e.t.Fatal(err)
	}
	c := &container{engine: e, name: name, service: service, project: project, path: filepath.Join(folder, filepath.Base(folder)+"-json.log")}
	c.begin()
	e.t.Cleanup(func() { _ = c.file.Close() })
	return c
}

func (c *container) begin() {
	file, err := os.OpenFile(c.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.engine.t.Error(err)
	}
	c.file, c.size = file, 0
}

// output is what a process may write to; its lines are kept until it has ended.
func (c *container) output() (w *os.File, ended <-chan struct{}) {
	c.engine.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		c.engine.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.Close()
		for lines := bufio.NewReader(r); ; {
			text, err := lines.ReadString('\n')
			if text != "" {
				c.write(strings.TrimSuffix(text, "\n"))
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					c.engine.t.Error(err)
				}
				return
			}
		}
	}()
	return w, done
}

// write keeps a line.
func (c *container) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now()
	if c.project == project {
		c.engine.mu.Lock()
		c.engine.written = append(c.engine.written, Written(c.name, c.service, text, at))
		c.engine.mu.Unlock()
	}
	for rest := text + "\n"; rest != ""; {
		cut := min(piece, len(rest))
		line, err := json.Marshal(map[string]any{
			"log": rest[:cut], "stream": "stderr", "time": at.UTC().Format(time.RFC3339Nano),
			"attrs": map[string]string{"tag": c.name, "com.docker.compose.project": c.project, "com.docker.compose.service": c.service},
		})
		if err == nil {
			_, err = c.file.Write(append(line, '\n'))
		}
		if err != nil {
			c.engine.t.Error(err)
		}
		rest, c.size = rest[cut:], c.size+len(line)+1
	}
	if c.size > largest {
		c.turn()
	}
}

// turn begins the next file, and forgets the oldest.
func (c *container) turn() {
	err := c.file.Close()
	for n := kept - 1; n > 0; n-- {
		from := c.path
		if n > 1 {
			from = fmt.Sprintf("%s.%d", c.path, n-1)
		}
		if bad := os.Rename(from, fmt.Sprintf("%s.%d", c.path, n)); bad != nil && !errors.Is(bad, fs.ErrNotExist) {
			err = errors.Join(err, bad)
		}
	}
	if err != nil {
		c.engine.t.Error(err)
	}
	c.engine.mu.Lock()
	c.engine.turns++
	c.engine.mu.Unlock()
	c.begin()
}

// lines are all that were written until now.
func (e *engine) lines() []Line {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Line(nil), e.written...)
}

// turned is how many files were begun anew.
func (e *engine) turned() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.turns
}
