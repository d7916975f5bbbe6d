package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	imagev1 "calotype/proto/image/v1"
)

// screen shows uploads: as bars on a terminal, as a line when each is done elsewhere, as JSON when that was asked for.
type screen struct {
	*env
	mu    sync.Mutex
	bars  *mpb.Progress // nil where there is no terminal
	width int
}

// line is one file's place on the screen.
type line struct {
	s     *screen
	file  string
	bar   *mpb.Bar
	label atomic.Value // string: what goes on with it
}

func newScreen(e *env, files []string) *screen {
	s := &screen{env: e}
	for _, f := range files {
		s.width = max(s.width, len(filepath.Base(f)))
	}
	if f, ok := e.err.(*os.File); ok && !e.json && term.IsTerminal(int(f.Fd())) {
		s.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(32))
	}
	return s
}

func (s *screen) close() {
	if s.bars != nil {
		s.bars.Wait()
	}
}

func (s *screen) line(file string) *line {
	l := &line{s: s, file: file}
	l.label.Store("sending")
	if s.bars != nil {
		name := fmt.Sprintf("%-*s ", s.width, filepath.Base(file))
		l.bar = s.bars.New(0, mpb.BarStyle().Lbound("").Filler("█").Tip("█").Padding("░").Rbound(""),
			mpb.PrependDecorators(decor.Name(name)),
			mpb.AppendDecorators(decor.CountersKibiByte(" % .1f / % .1f"), decor.Any(func(decor.Statistics) string {
				return "  " + l.label.Load().(string)
			})))
	}
	return l
}

// progress counts the bytes of a file as they are read. A second call begins anew.
func (l *line) progress(r io.Reader, size int64) io.Reader {
	if l.bar == nil {
		return r
	}
	l.bar.SetTotal(size, false)
	l.bar.SetCurrent(0)
	return l.bar.ProxyReader(r)
}

func (l *line) state(s string) { l.label.Store(s) }

func (l *line) failed(err error) {
	l.end("failed")
	l.say(func() {
		if l.s.json {
			l.document(map[string]any{"file": l.file, "error": err.Error()})
			return
		}
		l.message(l.s.err, fmt.Sprintf("%s: %v\n", l.file, err))
	})
}

func (l *line) done(made *imagev1.CreateImageResponse) {
	what := "uploaded"
	if made.Job != nil {
		what = word(made.Job.State)
	}
	l.end(what)
	l.say(func() {
		if l.s.json {
			_ = l.s.print(made)
			return
		}
		text := fmt.Sprintf("%s  %s  %dx%d %s  %s\n", l.file, made.Image.Id, made.Image.Width, made.Image.Height, made.Image.Format, what)
		if made.Job != nil {
			for _, r := range made.Job.Results {
				text += fmt.Sprintf("  %-12s %5dx%-5d %-5s %s\n", r.Name, r.Width, r.Height, r.Format, size(r.Size))
			}
		}
		l.message(l.s.out, text)
	})
}

func (l *line) end(label string) {
	l.state(label)
	if l.bar != nil {
		l.bar.EnableTriggerComplete()
		l.bar.Abort(false)
	}
}

// say keeps what is printed of several files apart.
func (l *line) say(f func()) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	f()
}

// message goes above the bars where there are some.
func (l *line) message(w io.Writer, text string) {
	if l.s.bars != nil {
		w = l.s.bars
	}
	_, _ = io.WriteString(w, text)
}

func (l *line) document(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		fmt.Fprintf(l.s.out, "%s\n", b)
	}
}
