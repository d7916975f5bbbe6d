// Package logging makes the process's slog.Logger: JSON under ECS field names, or coloured text on a terminal, with the ids that
// travel in a context on every line. It also brings go-micro's and grpc's own logs into it.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"calotype/kit/fault"
)

// Config says what is logged and how.
type Config struct {
	Level  string `koanf:"level" live:"true" doc:"the least level that is logged: debug, info, warn or error"`
	Format string `koanf:"format" doc:"json (ECS field names), text, or auto: text on a terminal, json elsewhere"`
}

// DefaultConfig logs from info up.
func DefaultConfig() Config { return Config{Level: "info", Format: "auto"} }

// Validate reports what New would refuse.
func (c Config) Validate() []fault.Field {
	var fs []fault.Field
	if _, err := level(c.Level); err != nil {
		fs = append(fs, fault.Field{Path: "level", Message: err.Error()})
	}
	switch c.Format {
	case "json", "text", "auto":
	default:
		fs = append(fs, fault.Field{Path: "format", Message: fmt.Sprintf("%q is not one of json, text, auto", c.Format)})
	}
	return fs
}

// Service identifies who logs.
type Service struct{ Name, Version, Node string }

// Level is a logger's, and may change while it is used.
type Level struct{ v slog.LevelVar }

// Set takes a level by its name, as Config has it; a name that is none changes nothing.
func (l *Level) Set(name string) {
	if lv, err := level(name); err == nil {
		l.v.Set(lv)
	}
}

// New makes a logger that writes to w.
func New(cfg Config, who Service, w io.Writer) (*slog.Logger, error) {
	return NewWithLevel(cfg, who, w, &Level{})
}

// NewWithLevel makes a logger whose level can be set later; it begins with the configuration's.
func NewWithLevel(cfg Config, who Service, w io.Writer, lv *Level) (*slog.Logger, error) {
	if fs := cfg.Validate(); len(fs) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the logging configuration is wrong", Fields: fs}
	}
	lv.Set(cfg.Level)
	var h slog.Handler
	if cfg.Format == "text" || cfg.Format == "auto" && isTerminal(w) {
		// A person reads one process at a time: who logs goes without saying.
		return slog.New(handler{tint.NewHandler(w, &tint.Options{
			Level: &lv.v, TimeFormat: "15:04:05.000", NoColor: !isTerminal(w), ReplaceAttr: plain,
		})}), nil
	}
	h = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: &lv.v, ReplaceAttr: ecs})
	l := slog.New(handler{h}).With("ecs.version", "8.11.0", "service.name", who.Name)
	if who.Version != "" {
		l = l.With("service.version", who.Version)
	}
	if who.Node != "" {
		l = l.With("service.node.name", who.Node)
	}
	return l, nil
}

func level(s string) (slog.Level, error) {
	switch strings.ToLower(s) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("%q is not one of debug, info, warn, error", s)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// own is what the names of fields begin with that ECS does not have.
const own = "calotype."

// ecs renames what slog writes of itself, shows an error under the name that ECS has for its text, and keeps the names of our own fields
// apart from ECS's.
func ecs(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		if t, ok := a.Value.Any().(time.Time); ok {
			return slog.String("@timestamp", t.UTC().Format("2006-01-02T15:04:05.000000Z"))
		}
	case slog.LevelKey:
		if l, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("log.level", strings.ToLower(l.String()))
		}
	case slog.MessageKey:
		a.Key = "message"
	case "error", "err":
		return slog.String("error.message", a.Value.String())
	case "job":
		a.Key = JobID
	case "image":
		a.Key = ImageID
	case "tags", "labels": // ECS's own
	default:
		// ECS keeps the first part of each of its names for itself: a store of logs refuses a line where "service" is a text, for it is
		// where service.name is. So what has no name there gets one of ours.
		if a.Key != "" && !strings.Contains(a.Key, ".") {
			a.Key = own + a.Key
		}
	}
	if d := a.Value; d.Kind() == slog.KindDuration {
		return slog.String(a.Key, d.Duration().String()) // slog's JSON writes bare nanoseconds
	}
	return a
}

func plain(groups []string, a slog.Attr) slog.Attr {
	if a.Key == SpanID || a.Key == "event.duration" && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

// handler adds the context's attributes to every record.
type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if as := attrs(ctx); len(as) > 0 {
		r = r.Clone()
		r.AddAttrs(as...)
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(as []slog.Attr) slog.Handler { return handler{h.Handler.WithAttrs(as)} }

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
