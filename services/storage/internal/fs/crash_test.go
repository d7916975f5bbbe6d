package fs_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	storefs "calotype/services/storage/internal/fs"
)

const (
	crashRoot = "CALOTYPE_TEST_CRASH_ROOT" // makes the test binary the victim: put blobs into this root
	crashStep = "CALOTYPE_TEST_CRASH_STEP" // the victim kills itself after this step, counted from 1; 0: it goes on until it is killed
	crashSeed = "CALOTYPE_TEST_CRASH_SEED"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(crashRoot); root != "" {
		if err := victim(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim writes the digest of each blob to its output once its Put has returned.
func victim(root string) error {
	step, err := strconv.ParseInt(os.Getenv(crashStep), 10, 64)
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(os.Getenv(crashSeed), 10, 64)
	if err != nil {
		return err
	}
	s, err := storefs.Open(storefs.Config{Root: root}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	put := func(b []byte) error {
		info, _, err := s.Put(context.Background(), bytes.NewReader(b), blob.Want{})
		if err == nil {
			_, err = fmt.Println(info.Digest) // one write of a line
		}
		return err
	}
	if step == 0 {
		var g errgroup.Group
		for i := range uint64(4) {
			g.Go(func() error {
				for j := uint64(0); ; j++ {
					if err := put(blobtest.Content(seed*1000+i*100_000+j, int(j%7)*150_000)); err != nil {
						return err
					}
				}
			})
		}
		return g.Wait()
	}
	var steps atomic.Int64
	s.OnStep(func(string) {
		if steps.Add(1) == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	// New, empty, large, already there.
	for _, b := range [][]byte{blobtest.Content(1, 1000), nil, blobtest.Content(2, 900_000), blobtest.Content(1, 1000)} {
		if err := put(b); err != nil {
			return err
		}
	}
	return nil
}

// startVictim gives the lines that it writes, and waits for its end.
func startVictim(t *testing.T, root string, step, seed int) (cmd *exec.Cmd, lines *bufio.Scanner, wait func() error) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashRoot+"="+root, crashStep+"="+strconv.Itoa(step), crashSeed+"="+strconv.Itoa(seed))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out), func() error {
		err := cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatalf("the victim: %v: %s", err, stderr.String())
		}
		return err
	}
}

func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// autopsy opens what the victim left, as its next start does.
func autopsy(t *testing.T, root string, acknowledged []string) {
	t.Helper()
	s := open(t, root)
	if left := temporaries(t, root); len(left) > 0 {
		t.Errorf("temporaries are left after the start: %v", left)
	}
	all, err := s.List(t.Context(), blob.Digest{}, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string]bool{}
	for _, info := range all {
		_, r, err := s.Open(t.Context(), info.Digest, blob.Part{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("a half blob of %d bytes has a real name: %v", info.Size, err)
		} else {
			whole[info.Digest.String()] = true
		}
		r.Close()
	}
	for _, d := range acknowledged {
		if !whole[d] {
			t.Errorf("%s was acknowledged and is lost", d)
		}
	}
}

func TestKilledAfterEveryStepOfAPut(t *testing.T) {
	killedAt := 0
	for step := 1; ; step++ {
		root := t.TempDir()
		_, lines, wait := startVictim(t, root, step, 0)
		var acknowledged []string
		for lines.Scan() {
			acknowledged = append(acknowledged, lines.Text())
		}
		err := wait()
		autopsy(t, root, acknowledged)
		if err == nil {
			break // it got through: there is no such step
		}
		if !killed(err) {
			t.Fatalf("step %d: the victim ended with %v", step, err)
		}
		killedAt++
	}
	// Three times created, synced, renamed, folder synced, discarded; once created, discarded; and some writes.
	if killedAt < 20 {
		t.Errorf("was killed at %d steps only", killedAt)
	}
}

// The same root all along, several Puts at once, killed at whatever moment it is when some blob has been acknowledged.
func TestKilledAtAnyMoment(t *testing.T) {
	root := t.TempDir()
	var acknowledged []string
	rubbish := 0
	for round := range 15 {
		cmd, lines, wait := startVictim(t, root, 0, round)
		for n := 0; lines.Scan(); n++ {
			acknowledged = append(acknowledged, lines.Text())
			if n == round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := wait(); !killed(err) {
			t.Fatalf("round %d: the victim ended with %v", round, err)
		}
		rubbish += len(temporaries(t, root))
		autopsy(t, root, acknowledged)
	}
	if len(acknowledged) < 15 || rubbish == 0 {
		t.Errorf("%d blobs were acknowledged and %d temporaries left by the killed: the test tests nothing", len(acknowledged), rubbish)
	}
}

// A node that starts on a shared folder, or before the old process has drained, must not sweep what another is writing.
func TestTheLivingAreNotSwept(t *testing.T) {
	root := t.TempDir()
	first := open(t, root)
	dead := filepath.Join(root, "tmp", "dead")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(dead, "half"), filepath.Join(root, "tmp", "stray")} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := blobtest.Content(1, 2<<20)
	var second *storefs.Store
	startAnother := readerFunc(func([]byte) (int, error) { second = open(t, root); return 0, io.EOF })
	r := io.MultiReader(bytes.NewReader(b[:1<<20]), startAnother, bytes.NewReader(b[1<<20:]))
	if _, _, err := first.Put(t.Context(), r, blob.Want{Digest: blobtest.DigestOf(b)}); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Stat(t.Context(), blobtest.DigestOf(b)); err != nil {
		t.Error(err)
	}
	if left := temporaries(t, root); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a dead process is still there: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
