package litequeue_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/litequeue"
	"calotype/services/image/internal/queuetest"
)

// childRole, where set, makes the test binary a process to be killed.
const childRole = "LITEQUEUE_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := child(role, os.Getenv("LITEQUEUE_FILE"), os.Getenv("LITEQUEUE_LEDGER")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func killConfig(path string) litequeue.Config {
	return litequeue.Config{Path: path, Lease: 500 * time.Millisecond, MaxDeliveries: 1000, Poll: 20 * time.Millisecond}
}

// child publishes or works until it is killed, and writes down what it did: "acknowledged ID", "began ID ATTEMPT".
func child(role, path, ledger string) error {
	q, err := litequeue.Open(killConfig(path), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	book, err := os.OpenFile(ledger, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if role == "work" {
		return q.Consume(ctx, "t", 4, func(_ context.Context, d job.Delivery) job.Verdict {
			write(book, "began %s %d", d.ID, d.Attempt)
			sum := sha256.Sum256(d.Body)
			for range 2000 { // about a millisecond of work to be killed in
				sum = sha256.Sum256(sum[:])
			}
			if sum[0] == 0 && d.Attempt == 1 {
				return job.Again(10 * time.Millisecond)
			}
			return job.Done()
		})
	}
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		if err := q.Publish(ctx, "t", job.Message{ID: id, Body: []byte(id)}); err != nil {
			return err
		}
		write(book, "acknowledged %s", id)
	}
}

// write adds a line in one system call, so that no kill leaves half of it.
func write(book *os.File, format string, args ...any) {
	if _, err := fmt.Fprintf(book, format+"\n", args...); err != nil {
		panic(err)
	}
}

type book struct {
	acknowledged []string
	began        map[string][]int
}

func read(t *testing.T, ledger string) book {
	t.Helper()
	f, err := os.Open(ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b := book{began: map[string][]int{}}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var id string
		var attempt int
		if _, err := fmt.Sscanf(lines.Text(), "began %s %d", &id, &attempt); err == nil {
			b.began[id] = append(b.began[id], attempt)
		} else if id, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
			b.acknowledged = append(b.acknowledged, id)
		} else {
			t.Fatalf("a line of the ledger reads %q", lines.Text())
		}
	}
	return b
}

// Publishers and workers are killed again and again in the middle of what they do. What was acknowledged is worked on, and each
// delivery of a message has a number of its own, higher than those before.
func TestKilledProcessesLoseNothing(t *testing.T) {
	const kills = 12
	dir := t.TempDir()
	path, ledger := filepath.Join(dir, "q.db"), filepath.Join(dir, "ledger")
	q := (file{killConfig(path)}).open(t)
	start := func(role string) *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childRole+"="+role, "LITEQUEUE_FILE="+path, "LITEQUEUE_LEDGER="+ledger)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	size := func() int64 {
		info, err := os.Stat(ledger)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for range kills {
		before, enough := size(), int64(200+rand.IntN(3000))
		victims := []*exec.Cmd{start("publish"), start("work"), start("work")}
		until(t, "the ledger has grown", func() bool { return size() > before+enough })
		for _, v := range victims {
			if err := v.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := v.Wait(); err == nil || v.ProcessState.Exited() {
				t.Errorf("a child ended by itself: %v", v.ProcessState)
			}
		}
	}
	last := start("work")
	until(t, "the queue is empty", func() bool {
		d, err := q.Depth(context.Background(), "t")
		if err != nil {
			t.Fatal(err)
		}
		return d.Ready == 0 && d.Leased == 0
	})
	if err := last.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = last.Wait() // it was killed

	b := read(t, ledger)
	for _, id := range b.acknowledged {
		if len(b.began[id]) == 0 {
			t.Errorf("%s was acknowledged and lost", id)
		}
	}
	again := 0
	for id, attempts := range b.began {
		for i, n := range attempts {
			if n < 1 || i > 0 && n <= attempts[i-1] {
				t.Errorf("%s: attempts %v", id, attempts)
				break
			}
		}
		if len(attempts) > 1 {
			again++
		}
	}
	if d, err := q.Depth(context.Background(), "t.dead"); err != nil || d.Ready > 0 {
		t.Errorf("dead letters: %+v, %v", d, err)
	}
	t.Logf("%d acknowledged, %d begun, %d of them more than once, %d kills", len(b.acknowledged), len(b.began), again, 3*kills)
	if again == 0 {
		t.Error("no kill hit any work: the test shows nothing")
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(2 * patience); !holds(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}

var _ queuetest.Client = (*litequeue.Queue)(nil)
