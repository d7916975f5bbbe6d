// Package nginx runs one: it fills in its configuration, has it checked before it is used, starts it, reloads it and lets it finish.
// It knows neither registries nor gateways.
package nginx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"text/template"
	"time"
)

// Server is one nginx.
type Server struct {
	program  string
	template string
	settings Settings
	version  Version
	log      *slog.Logger

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how, once it has
}

// New asks a program for its version and prepares the folder.
func New(ctx context.Context, program, template string, s Settings, log *slog.Logger) (*Server, error) {
	out, err := exec.CommandContext(ctx, program, "-v").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", program, err)
	}
	version, err := ParseVersion(string(out))
	if err != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", program, err)
	}
	dirs := []string{s.Dir}
	if s.Cache > 0 {
		dirs = append(dirs, s.CacheDir)
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("preparing nginx's folders: %w", err)
		}
	}
	if most := s.Repeat.within(s.Dir); most != s.Repeat {
		log.Warn("there is less room for what may be sent again than is set", slog.Int64("bytes", int64(most.Room)), slog.String("dir", s.Dir))
		s.Repeat = most
	}
	for _, socket := range []string{s.Status(), s.Kept()} {
		if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("removing the socket of one before: %w", err)
		}
	}
	return &Server{program: program, template: template, settings: s, version: version, log: log, done: make(chan struct{})}, nil
}

// Version is the program's.
func (s *Server) Version() Version { return s.version }

func (s *Server) config() string { return filepath.Join(s.settings.Dir, "nginx.conf") }

// Configure fills in the template and has nginx check what came of it. Only then does it take the place of what was there: after an error
// that is still good.
func (s *Server) Configure(ctx context.Context) error {
	text, err := os.ReadFile(s.template)
	if err != nil {
		return fmt.Errorf("reading nginx's template: %w", err)
	}
	t, err := template.New(filepath.Base(s.template)).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return fmt.Errorf("reading nginx's template: %w", err)
	}
	var filled bytes.Buffer
	if err := t.Execute(&filled, s.settings.view(s.version, files(s.settings.Connections))); err != nil {
		return fmt.Errorf("filling in nginx's template: %w", err)
	}
	fresh := s.config() + ".new"
	if err := os.WriteFile(fresh, filled.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing nginx's configuration: %w", err)
	}
	check := exec.CommandContext(ctx, s.program, "-t", "-q", "-e", "stderr", "-p", s.settings.Dir, "-c", fresh)
	if out, err := check.CombinedOutput(); err != nil {
		return fmt.Errorf("nginx does not take its configuration: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := os.Rename(fresh, s.config()); err != nil {
		return fmt.Errorf("writing nginx's configuration: %w", err)
	}
	return nil
}

// Start starts nginx, which dies with this process.
func (s *Server) Start() error {
	cmd := exec.Command(s.program, "-e", "stderr", "-p", s.settings.Dir, "-c", s.config()) //nolint:noctx // Stop ends it
	cmd.Stdout = os.Stdout
	cmd.Stderr = &lines{log: s.log}
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the kernel takes the end of the thread that started a child for the parent's end
		defer close(s.done)
		err := cmd.Start()
		if started <- err; err == nil {
			s.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting nginx: %w", err)
	}
	s.cmd = cmd
	return nil
}

// Reload configures anew and has a running nginx take it.
func (s *Server) Reload(ctx context.Context) error {
	if err := s.Configure(ctx); err != nil {
		return err
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reloading nginx: %w", err)
	}
	return nil
}

// Done is closed when nginx has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err tells how it ended, once it has.
func (s *Server) Err() error { return s.err }

// Stop lets nginx finish what it is at, no longer than patience, and returns when it is gone.
func (s *Server) Stop(patience time.Duration) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGQUIT, patience}, {syscall.SIGTERM, 2 * time.Second}, {syscall.SIGKILL, 10 * time.Second}} {
		if err := s.cmd.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stopping nginx: %w", err)
		}
		t := time.NewTimer(step.wait)
		select {
		case <-s.done:
			t.Stop()
			return nil
		case <-t.C:
			s.log.Warn("nginx does not end", "signal", step.signal.String(), "after", step.wait)
		}
	}
	return errors.New("nginx does not end")
}

// files is how many descriptors a worker may need: both ends of each connection, and a file of the cache.
func files(connections int) int {
	want := uint64(3*connections + 64)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Max < want {
		want = limit.Max
	}
	return int(want)
}
