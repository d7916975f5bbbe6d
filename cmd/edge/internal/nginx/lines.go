package nginx

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"sync"
)

// lines makes log lines of what nginx writes to its standard error, at nginx's own level where it tells one.
type lines struct {
	log  *slog.Logger
	mu   sync.Mutex
	rest []byte
}

// longest is how much of a line is kept that does not end.
const longest = 16 << 10

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, ended := bytes.Cut(l.rest, []byte("\n"))
		if !ended {
			if len(l.rest) > longest {
				l.tell(l.rest)
				l.rest = nil
			}
			return len(b), nil
		}
		l.tell(line)
		l.rest = rest
	}
}

var line = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(\w+)\] \d+#\d+: (.*)$`)

func (l *lines) tell(text []byte) {
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	level := slog.LevelWarn
	if m := line.FindSubmatch(text); m != nil {
		switch string(m[1]) {
		case "debug":
			level = slog.LevelDebug
		case "info", "notice":
			level = slog.LevelInfo
		case "warn":
		default:
			level = slog.LevelError
		}
		text = m[2]
	}
	l.log.Log(context.Background(), level, string(bytes.ToValidUTF8(text, []byte("?"))), slog.String("event.dataset", "nginx.error"))
}
