package servers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server with its own data folder. What was committed outlives Stop, Kill and Start.
type Postgres struct {
	*Process
	Addr     string // host:port
	User     string // may do anything
	Password string
	dir      string
	made     atomic.Int64 // databases
}

// NewPostgres starts a server and returns when it takes connections. Settings are written as in postgresql.conf ("fsync=off": then it
// is quicker, and what it acknowledged outlives its own death, though not the machine's).
func NewPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	p := &Postgres{User: "calotype", Password: "let me in", dir: t.TempDir()}
	as := unprivileged(t, p.dir)
	secret, data := filepath.Join(p.dir, "password"), filepath.Join(p.dir, "data")
	if err := os.WriteFile(secret, []byte(p.Password+"\n"), 0o644); err != nil { //nolint:gosec // it is in the source as well
		t.Fatalf("prepare Postgres: %v", err)
	}
	argv := slices.Concat(as, []string{
		postgresProgram(t, "initdb"), "--pgdata=" + data, "--username=" + p.User, "--pwfile=" + secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
	})
	initdb := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	initdb.Dir = p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	argv = slices.Concat(as, []string{postgresProgram(t, "postgres"), "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="})
	for _, s := range settings {
		argv = append(argv, "-c", s)
	}
	p.Process = &Process{t: t, path: argv[0], log: filepath.Join(p.dir, "postgres.log"), ready: p.answers}
	t.Cleanup(p.cleanup)
	var err error
	for range 3 { // somebody else may take the port first
		port := freePorts(t, 1)[0]
		p.Addr, p.args = local(port), append(slices.Clone(argv[1:]), "-p", strconv.Itoa(port))
		if err = p.run(); !errors.Is(err, errExited) {
			break
		}
	}
	if err != nil {
		t.Fatalf("start Postgres: %v\n%s", err, p.Log())
	}
	t.Cleanup(func() { p.end(syscall.SIGQUIT) }) // at once, but its processes with it: they write below the folder that goes now
	return p
}

// URL is that of a database.
func (p *Postgres) URL(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(p.User, p.Password), Host: p.Addr, Path: "/" + database, RawQuery: "sslmode=disable"}).String()
}

// Database makes a new, empty database and returns its URL. It may be called concurrently.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", p.made.Add(1))
	err := p.connected(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0")
		return err
	})
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	return p.URL(name)
}

// Stop ends the server in order: what is under way is undone, clients are not waited for.
func (p *Postgres) Stop() { p.end(syscall.SIGINT) }

// Kill ends the server and all its processes as kill -9 does, and returns when they are gone.
func (p *Postgres) Kill() {
	children := p.children()
	p.Process.Kill()
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL) // most have ended with their parent
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for range again.C {
		if !slices.ContainsFunc(children, alive) {
			return
		}
	}
}

// Freeze makes the server hang: it keeps its connections and answers nothing, until Thaw.
func (p *Postgres) Freeze() {
	p.t.Helper()
	p.Process.Freeze() // it makes no more processes
	for _, pid := range p.children() {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // some end by themselves
	}
}

// Thaw lets a frozen server go on.
func (p *Postgres) Thaw() {
	for _, pid := range p.children() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	p.Process.Thaw()
}

// children are the server's processes: one a connection, and some of its own.
func (p *Postgres) children() (pids []int) {
	pid := p.Pid()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil // they end by themselves soon after their parent
	}
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// alive reports whether a process still does something; one that nobody waits for stays in the table when it is dead.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return err == nil && !bytes.HasPrefix(rest, []byte("Z")) && !bytes.HasPrefix(rest, []byte("X"))
}

func (p *Postgres) answers(ctx context.Context) error {
	if err := accepts(ctx, p.Addr); err != nil {
		return err
	}
	return p.connected(ctx, func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) })
}

func (p *Postgres) connected(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, conn), conn.Close(ctx))
}

// unprivileged returns the words that make a command run as somebody who may do nothing but own dir: Postgres refuses to be root's.
func unprivileged(t testing.TB, dir string) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		// The test's folders are root's alone; whoever passes through them still reads nothing.
		if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o700), os.Chown(dir, uid, gid)); err != nil { //nolint:gosec // see above
			t.Fatalf("prepare Postgres: %v", err)
		}
		return []string{find(t, "setpriv"), "--reuid=" + who.Uid, "--regid=" + who.Gid, "--clear-groups", "--pdeathsig=KILL"}
	}
	t.Fatal("Postgres cannot run as root, and there is no user postgres or nobody")
	return nil
}

// postgresProgram finds a program where it is on the PATH, or where Debian keeps it; the newest of several.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is right
	if len(found) == 0 {
		return find(t, name)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })
}
