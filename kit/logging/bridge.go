package logging

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go-micro.dev/v4/logger"
	"google.golang.org/grpc/grpclog"
)

// go-micro and grpc each have one logger for the whole process, and read it without a lock. So theirs is put in once, before
// anything of them runs, and only what stands behind it changes.
var (
	adopted atomic.Pointer[slog.Logger]
	adopt   sync.Once
)

// Adopt sends what go-micro and grpc log to l from now on. Call it before building a client or a server.
func Adopt(l *slog.Logger) {
	adopted.Store(l)
	adopt.Do(func() {
		target := adopted.Load
		logger.DefaultLogger = micro{target: target}
		logger.DefaultHelper = logger.NewHelper(logger.DefaultLogger)
		grpclog.SetLoggerV2(grpcLogger{target: target})
	})
}

// Micro makes a go-micro logger that writes to l.
func Micro(l *slog.Logger) logger.Logger {
	return micro{target: func() *slog.Logger { return l }}
}

type micro struct {
	target func() *slog.Logger
	fields []any
}

func (m micro) Init(...logger.Option) error { return nil }

func (m micro) Options() logger.Options {
	return logger.Options{Level: logger.TraceLevel, Context: context.Background()}
}

func (m micro) String() string { return "slog" }

func (m micro) Fields(fs map[string]any) logger.Logger {
	m.fields = slices.Clone(m.fields)
	for k, v := range fs {
		m.fields = append(m.fields, k, v)
	}
	return m
}

func (m micro) Log(l logger.Level, v ...any) {
	lv := microLevel(l)
	if t := m.target(); t.Enabled(context.Background(), lv) {
		t.Log(context.Background(), lv, strings.TrimSpace(fmt.Sprint(v...)), append(m.fields, "log.logger", "go-micro")...)
	}
}

func (m micro) Logf(l logger.Level, format string, v ...any) {
	lv := microLevel(l)
	if t := m.target(); t.Enabled(context.Background(), lv) {
		t.Log(context.Background(), lv, strings.TrimSpace(fmt.Sprintf(format, v...)), append(m.fields, "log.logger", "go-micro")...)
	}
}

// microLevel lowers info: what go-micro finds worth telling ("Broker [http] Connected") is detail to whoever runs Calotype.
func microLevel(l logger.Level) slog.Level {
	switch l {
	case logger.WarnLevel:
		return slog.LevelWarn
	case logger.ErrorLevel, logger.FatalLevel:
		return slog.LevelError
	}
	return slog.LevelDebug
}

// grpcLogger keeps all of grpc but its errors at debug: its warnings come with every attempt to reach a node that is gone, and the
// call that suffers, and the client that sets a node aside, tell of it themselves.
type grpcLogger struct{ target func() *slog.Logger }

func (g grpcLogger) log(lv slog.Level, text string) {
	g.target().Log(context.Background(), lv, strings.TrimSpace(text), "log.logger", "grpc")
}

func (g grpcLogger) on(lv slog.Level) bool { return g.target().Enabled(context.Background(), lv) }

func (g grpcLogger) Info(a ...any) {
	if g.on(slog.LevelDebug) {
		g.log(slog.LevelDebug, fmt.Sprint(a...))
	}
}

func (g grpcLogger) Infoln(a ...any) {
	if g.on(slog.LevelDebug) {
		g.log(slog.LevelDebug, fmt.Sprintln(a...))
	}
}

func (g grpcLogger) Infof(f string, a ...any) {
	if g.on(slog.LevelDebug) {
		g.log(slog.LevelDebug, fmt.Sprintf(f, a...))
	}
}

func (g grpcLogger) Warning(a ...any)            { g.log(slog.LevelDebug, fmt.Sprint(a...)) }
func (g grpcLogger) Warningln(a ...any)          { g.log(slog.LevelDebug, fmt.Sprintln(a...)) }
func (g grpcLogger) Warningf(f string, a ...any) { g.log(slog.LevelDebug, fmt.Sprintf(f, a...)) }
func (g grpcLogger) Error(a ...any)              { g.log(slog.LevelError, fmt.Sprint(a...)) }
func (g grpcLogger) Errorln(a ...any)            { g.log(slog.LevelError, fmt.Sprintln(a...)) }
func (g grpcLogger) Errorf(f string, a ...any)   { g.log(slog.LevelError, fmt.Sprintf(f, a...)) }

// Fatal and its kin only log: grpclog itself ends the process after them.
func (g grpcLogger) Fatal(a ...any)            { g.log(slog.LevelError, fmt.Sprint(a...)) }
func (g grpcLogger) Fatalln(a ...any)          { g.log(slog.LevelError, fmt.Sprintln(a...)) }
func (g grpcLogger) Fatalf(f string, a ...any) { g.log(slog.LevelError, fmt.Sprintf(f, a...)) }

// V is about more than info: never.
func (g grpcLogger) V(l int) bool { return l <= 0 && g.on(slog.LevelDebug) }
