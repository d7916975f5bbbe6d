package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const (
	readyWithin = 60 * time.Second
	stopWithin  = 10 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// Process is a server that runs for a test. Its methods belong to one goroutine, that of the test.
type Process struct {
	t     testing.TB
	path  string
	args  []string
	env   []string                    // beside the test's own
	out   *os.File                    // nil: the log
	ready func(context.Context) error // nil once it serves
	log   string
	from  int64 // where in the log the run under way begins

	cmd    *exec.Cmd
	exited chan struct{} // closed when the running program has ended and has been waited for
}

var errExited = errors.New("it ended before it was ready")

// start runs a program and waits until it is ready. configure is called with free ports, anew for each try: when somebody
// else takes one of them first, the server ends at once.
func start(t testing.TB, program string, ports int, configure func(ports []int) (args []string, ready func(context.Context) error)) *Process {
	t.Helper()
	p := &Process{t: t, path: find(t, program), log: filepath.Join(t.TempDir(), program+".log")}
	t.Cleanup(p.cleanup)
	var err error
	for range 3 {
		p.args, p.ready = configure(freePorts(t, ports))
		if err = p.run(); !errors.Is(err, errExited) {
			break
		}
	}
	if err != nil {
		t.Fatalf("start %s: %v\n%s", program, err, p.Log())
	}
	return p
}

// Program is a binary that a test runs as it is.
type Program struct {
	Path   string
	Args   []string
	Env    []string                              // beside the test's own, "NAME=value"
	Output *os.File                              // where it writes; nil: a log that is shown when the test fails
	Ready  func(context.Context, *Process) error // nil once it serves
}

// Run runs a program for as long as the test lasts, and returns when it is ready.
func Run(t testing.TB, program Program) *Process {
	t.Helper()
	p := &Process{t: t, path: program.Path, args: program.Args, env: program.Env, out: program.Output, log: filepath.Join(t.TempDir(), filepath.Base(program.Path)+".log")}
	p.ready = func(ctx context.Context) error { return program.Ready(ctx, p) }
	t.Cleanup(p.cleanup)
	if err := p.run(); err != nil {
		t.Fatalf("start %s: %v\n%s", program.Path, err, p.Log())
	}
	return p
}

// ExitCode is how the program ended, once it has: -1 by a signal.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Ended reports whether the program has ended, by itself or otherwise.
func (p *Process) Ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// Pid is the running program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Start runs the server again where it ran before, after Stop or Kill, and returns when it is ready. What it kept in memory
// is gone.
func (p *Process) Start() {
	p.t.Helper()
	if err := p.run(); err != nil {
		p.t.Fatalf("start %s again: %v\n%s", filepath.Base(p.path), err, p.Log())
	}
}

// Stop asks the server to end, and returns when it has.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

// Kill ends the server as kill -9 does, and returns when it is gone.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Freeze makes the server hang: it keeps its connections and answers nothing, until Thaw.
func (p *Process) Freeze() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	if err := awaitStopped(p.cmd.Process.Pid); err != nil {
		p.t.Fatalf("freeze %s: %v", filepath.Base(p.path), err)
	}
}

// Thaw lets a frozen server go on.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

// Log returns the last of what the server wrote since it was started last, at most 8 KiB.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	text = text[min(p.from, int64(len(text))):]
	return string(bytes.ToValidUTF8(text[max(0, len(text)-8<<10):], nil))
}

func (p *Process) run() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	if p.from, err = log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	p.cmd = exec.Command(p.path, p.args...) //nolint:noctx // outlives any context of the test's; cleanup ends it
	p.cmd.Env = append(p.cmd.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.out != nil {
		p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	}
	p.cmd.SysProcAttr = dieWithTest()
	started, exited := make(chan error), make(chan struct{})
	go func(cmd *exec.Cmd) {
		runtime.LockOSThread() // the kernel takes the end of the thread that started the child for the parent's end
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}(p.cmd)
	if err := <-started; err != nil {
		return err
	}
	p.exited = exited
	return p.awaitReady()
}

func (p *Process) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", readyWithin, err)
		case <-again.C:
		}
	}
}

func (p *Process) signal(s syscall.Signal) {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("send %v to %s: %v", s, filepath.Base(p.path), err)
	}
}

func (p *Process) end(s syscall.Signal) {
	if p.exited == nil {
		return
	}
	p.signal(s)
	p.signal(syscall.SIGCONT) // a frozen one must wake to end
	select {
	case <-p.exited:
	case <-time.After(stopWithin):
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

func (p *Process) cleanup() {
	p.Kill() // it keeps nothing worth an orderly end, for which Jaeger takes 10 s
	if p.t.Failed() {
		p.t.Logf("the last that %s wrote:\n%s", filepath.Base(p.path), p.Log())
	}
}
