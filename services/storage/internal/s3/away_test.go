package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/services/storage/internal/s3"
	"calotype/test/servers"
)

// quick is a store that notices soon.
func quick(t *testing.T, server *servers.S3, endpoints ...string) s3.Config {
	t.Helper()
	cfg := configFor(server.AccessKey, server.SecretKey, endpoints...)
	cfg.Timeout, cfg.ConnectTimeout, cfg.ProbeEvery = 500*time.Millisecond, 200*time.Millisecond, 20*time.Millisecond
	return cfg
}

// wantAway checks that calls fail at once, and in a way that tells the caller when to come again.
func wantAway(t *testing.T, s *s3.Store, d blob.Digest) {
	t.Helper()
	began := time.Now()
	_, stat := s.Stat(t.Context(), d)
	_, touch := s.Touch(t.Context(), d)
	_, _, open := s.Open(t.Context(), d, blob.Part{})
	_, list := s.List(t.Context(), blob.Digest{}, 10)
	_, _, put := s.Put(t.Context(), readerFunc(func([]byte) (int, error) {
		t.Error("an upload is read while nobody is there to take it")
		return 0, io.EOF
	}), blob.Want{})
	remove := s.Delete(t.Context(), d, time.Time{})
	t.Logf("six calls were refused within %v", time.Since(began))
	for name, err := range map[string]error{"Stat": stat, "Touch": touch, "Open": open, "List": list, "Put": put, "Delete": remove} {
		f := fault.As(err)
		if f == nil || f.Kind != fault.Unavailable || f.RetryAfter < time.Second {
			t.Errorf("%s gave %v, want Unavailable with a hint", name, err)
		}
	}
}

func stored(t *testing.T, s *s3.Store, seed uint64, n int) []byte {
	t.Helper()
	b := blobtest.Content(seed, n)
	if _, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKilledStoreIsAwayAndComesBack(t *testing.T) {
	server := servers.NewS3(t)
	s := open(t, quick(t, server, server.Endpoint))
	b := stored(t, s, 1, 100_000)
	server.Kill()
	eventually(t, "it is known", func() bool { return s.OpenEndpoints() == 0 })
	wantAway(t, s, blobtest.DigestOf(b))
	if s.Reachable(t.Context()) == nil || s.Usable(t.Context()) != nil {
		t.Error("a store that is away is unusable, or counts as reachable")
	}
	server.Start()
	eventually(t, "it is back", func() bool { return s.OpenEndpoints() == 1 })
	same(t, s, b)
}

// A store that hangs takes connections and requests, and answers none: the first call learns that, all others are told.
func TestHungStoreIsAway(t *testing.T) {
	server := servers.NewS3(t)
	doors := []*door{newDoor(t, server.Addr), newDoor(t, server.Addr)}
	s := open(t, quick(t, server, doors[0].endpoint, doors[1].endpoint))
	b := stored(t, s, 1, 100_000)
	for _, d := range doors {
		d.hangs.Store(true)
	}
	began := time.Now()
	if _, _, err := s.Put(t.Context(), bytes.NewReader([]byte("y")), blob.Want{}); err == nil || !fault.Is(err, fault.Unavailable) {
		t.Fatalf("a put at a store that hangs gave %v", err)
	}
	t.Logf("the first put was refused within %v", time.Since(began))
	eventually(t, "it is known", func() bool { return s.OpenEndpoints() == 0 })
	wantAway(t, s, blobtest.DigestOf(b))
	for _, d := range doors {
		d.hangs.Store(false)
	}
	eventually(t, "it is back", func() bool { return s.OpenEndpoints() == 2 })
	same(t, s, b)
}

func pause(ctx context.Context) {
	select {
	case <-time.After(time.Millisecond):
	case <-ctx.Done():
	}
}

// An address that nobody answers at costs the first call a connection's time-out at most, and then nothing.
func TestBlackHoleCostsNothing(t *testing.T) {
	server := servers.NewS3(t)
	full := blackHole(t, 0)
	s := open(t, quick(t, server, server.Endpoint, "http://"+full))
	b := stored(t, s, 1, 1000)
	eventually(t, "it is known", func() bool { return s.OpenEndpoints() == 1 })
	began := time.Now()
	for range 50 {
		if _, err := s.Stat(t.Context(), blobtest.DigestOf(b)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("50 calls beside it took %v", time.Since(began))
}

// Doors that vanish, as those of machines that lost their power: whoever asks in that moment waits for one connection, not for one to each door,
// one after the other.
func TestVanishedStoreCostsOneConnection(t *testing.T) {
	server := servers.NewS3(t)
	doors := []*door{newDoor(t, server.Addr), newDoor(t, server.Addr)}
	cfg := quick(t, server, doors[0].endpoint, doors[1].endpoint)
	cfg.Timeout, cfg.ConnectTimeout, cfg.ProbeEvery = time.Minute, 2*time.Second, time.Minute
	s := open(t, cfg)
	b := stored(t, s, 1, 1000)
	for _, d := range doors {
		d.vanish(t)
	}
	began := time.Now()
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			_, err := s.Stat(t.Context(), blobtest.DigestOf(b))
			if f := fault.As(err); f == nil || f.Kind != fault.Unavailable || f.RetryAfter < time.Second {
				return fmt.Errorf("it gave %w, want Unavailable with a hint", err)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	took := time.Since(began)
	t.Logf("eight calls were refused within %v", took)
	if took >= 2*cfg.ConnectTimeout {
		t.Error("somebody waited for one door after the other")
	}
}

// One of two doors is killed and comes back, and then the other one, under load: no call fails, running downloads and uploads included.
func TestKilledDoorFailsNoCall(t *testing.T) {
	server := servers.NewS3(t)
	doors := []*servers.S3{server, server.Beside(t)}
	cfg := quick(t, server, doors[0].Endpoint, doors[1].Endpoint)
	cfg.Timeout, cfg.ConnectTimeout = time.Minute, 10*time.Second // a busy machine is slow, not silent
	s := open(t, cfg)
	b := stored(t, s, 1, part/2)
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	var calls atomic.Int64
	for i := range 4 {
		g.Go(func() error {
			for n := 0; ctx.Err() == nil; n++ {
				content := blobtest.Content(uint64(1000*i+n), 1000+n%4/3*(part+5))
				if _, _, err := s.Put(t.Context(), iotest.HalfReader(bytes.NewReader(content)), blob.Want{}); err != nil {
					return err
				}
				_, r, err := s.Open(t.Context(), blobtest.DigestOf(b), blob.Part{})
				if err != nil {
					return err
				}
				got, err := io.ReadAll(r)
				if err = errors.Join(err, r.Close()); err != nil {
					return err
				}
				if !bytes.Equal(got, b) {
					return errors.New("other bytes came back")
				}
				calls.Add(2)
			}
			return nil
		})
	}
	reach := func(n int64) { eventually(t, "some calls went well", func() bool { return calls.Load() >= n }) }
	reach(8)
	for _, door := range doors {
		door.Kill()
		eventually(t, "it is known", func() bool { return s.OpenEndpoints() == 1 })
		reach(calls.Load() + 8)
		door.Start()
		eventually(t, "it is back", func() bool { return s.OpenEndpoints() == 2 })
	}
	stop()
	if err := g.Wait(); err != nil {
		t.Fatalf("after %d calls: %v", calls.Load(), err)
	}
	t.Logf("%d calls", calls.Load())
}

// A door that is frozen costs the calls that it has a time-out, and fails none.
func TestFrozenDoorFailsNoCall(t *testing.T) {
	server := servers.NewS3(t)
	other := server.Beside(t)
	s := open(t, quick(t, server, server.Endpoint, other.Endpoint))
	b := stored(t, s, 1, 1000)
	other.Freeze()
	defer other.Thaw()
	began, slowest := time.Now(), time.Duration(0)
	for range 20 {
		one := time.Now()
		if _, err := s.Touch(t.Context(), blobtest.DigestOf(b)); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(one))
	}
	t.Logf("20 calls took %v, the slowest %v", time.Since(began), slowest)
}

// A caller's deadline is not the store's fault.
func TestDeadlineOfTheCallerHolds(t *testing.T) {
	server := servers.NewS3(t)
	cfg := quick(t, server, server.Endpoint)
	cfg.Timeout, cfg.ProbeEvery = time.Minute, time.Minute
	s := open(t, cfg)
	b := stored(t, s, 1, 1000)
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Stat(ctx, blobtest.DigestOf(b)); err == nil || !fault.Is(err, fault.Deadline) {
		t.Errorf("got %v", err)
	}
	if s.OpenEndpoints() != 1 {
		t.Error("the endpoint is taken out for it")
	}
	server.Thaw()
}
