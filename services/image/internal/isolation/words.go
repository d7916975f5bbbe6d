package isolation

import (
	"bufio"
	"io"
	"sync"
)

const (
	mostLines = 100  // of one helper that are logged: a broken one could fill the log
	lineSize  = 1024 // bytes
)

// words is what a helper writes to its standard error.
type words struct {
	over chan struct{} // closed at the end

	mu    sync.Mutex
	first string
}

// listen hands lines on until nobody can write any more.
func listen(r io.ReadCloser, say func(line string)) *words {
	w := &words{over: make(chan struct{})}
	go func() {
		defer close(w.over)
		defer r.Close()
		in := bufio.NewReaderSize(r, lineSize)
		cut := false // the rest of a long line follows
		for n := 0; ; {
			line, more, err := in.ReadLine()
			if err != nil {
				return
			}
			if !cut && len(line) > 0 {
				w.note(string(line))
				if n++; n < mostLines {
					say(string(line))
				} else if n == mostLines {
					say("more is not logged")
				}
			}
			cut = more
		}
	}()
	return w
}

// note keeps the first line: a crash tells there what it is.
func (w *words) note(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first == "" {
		w.first = line
	}
}

func (w *words) gist() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first
}
