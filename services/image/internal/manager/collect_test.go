package manager_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

func (w *world) tally(what string) int {
	n, _, _ := w.metric("calotype_upkeep_total", what)
	return int(n)
}

func (w *world) round(of interface {
	Round(ctx context.Context) error
}) {
	w.t.Helper()
	if err := of.Round(w.t.Context()); err != nil {
		w.t.Fatalf("a round: %v", err)
	}
}

func (w *world) wantShelf(what string, want ...job.Digest) {
	w.t.Helper()
	slices.Sort(want)
	if got := w.shelf.all(); !slices.Equal(got, want) {
		w.t.Errorf("%s: storage has %d blobs %v, want %d: %v", what, len(got), got, len(want), want)
	}
}

func TestWhatNothingRefersToIsCollected(t *testing.T) {
	c := &clock{}
	w := begin(t, func(s *setting) { s.parts.Now = c.now })
	w.shelf.now, w.shelf.page = c.now, 7
	w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		for _, r := range made(task) {
			w.shelf.put(c.now(), r.Digest)
		}
		return succeed(d, task, tell)
	})
	req := thumb()
	req.Digest = digest(1)
	w.shelf.put(c.now(), digest(1))
	a := w.create(req)
	w.ended(a.Job.ID)
	needed := []job.Digest{digest(1), digest(1000), digest(1001)}
	for i := range 50 {
		w.shelf.put(c.now(), digest(100+i))
	}
	w.round(w.Collector)
	if n := len(w.shelf.all()); n != 53 {
		t.Errorf("of 53 young blobs %d are left", n)
	}
	c.forward(25 * time.Hour)
	young := digest(9)
	w.shelf.put(c.now(), young)
	w.round(w.Collector)
	w.wantShelf("a day later", append(needed, young)...)
	if n := w.tally("blob_collected"); n != 50 {
		t.Errorf("the tally says %d were collected", n)
	}
	if err := w.Images.Delete(t.Context(), a.Image.ID); err != nil {
		t.Fatal(err)
	}
	w.round(w.Collector)
	w.wantShelf("with the image deleted", young)
}

func TestWhatIsUsedAtTheLastMomentStays(t *testing.T) {
	w := begin(t, still)
	w.shelf.put(time.Now().Add(-25*time.Hour), digest(1), digest(2))
	w.shelf.deletes = func(d job.Digest) error {
		if d == digest(2) {
			return w.shelf.Touch(t.Context(), d)
		}
		return nil
	}
	w.round(w.Collector)
	w.wantShelf("after the round", digest(2))
	if w.tally("blob_spared") != 1 || w.tally("blob_collected") != 1 {
		t.Errorf("the tally says %d spared, %d collected", w.tally("blob_spared"), w.tally("blob_collected"))
	}
}

func TestCollectingGoesOnBehindADamagedBlob(t *testing.T) {
	w := begin(t, still)
	w.shelf.put(time.Now().Add(-25*time.Hour), digest(1), digest(2), digest(3))
	kind := fault.Internal
	w.shelf.deletes = func(d job.Digest) error {
		if d == digest(1) {
			return fault.New(kind, "", "no")
		}
		return nil
	}
	if err := w.Collector.Round(t.Context()); !fault.Is(err, fault.Internal) {
		t.Errorf("a blob that cannot be deleted: %v", err)
	}
	w.wantShelf("behind it", digest(1))
	w.shelf.put(time.Now().Add(-25*time.Hour), digest(4))
	kind = fault.Unavailable
	if err := w.Collector.Round(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("storage that is away: %v", err)
	}
	w.wantShelf("with storage away", digest(1), digest(4))
}

func TestNothingIsCollectedWhileReportsWait(t *testing.T) {
	w := begin(t, still, func(s *setting) { s.cfg.CollectGrace = 20 * time.Millisecond })
	w.shelf.put(time.Now().Add(-time.Hour), digest(1))
	if err := w.queue.Publish(t.Context(), job.Reports, job.Message{ID: "m", Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report waits", func() bool {
		d, err := w.queue.Depth(t.Context(), job.Reports)
		return err == nil && d.Oldest >= 10*time.Millisecond
	})
	w.round(w.Collector)
	w.wantShelf("while the report waits", digest(1))
}

// Old uploads are registered while collectors look for what to delete: who was told that an image is registered has its bytes.
func TestNoRegisteredImageLosesItsBytes(t *testing.T) {
	w := begin(t, still)
	w.shelf.strict, w.shelf.page = true, 20
	const blobs = 120
	for i := range blobs {
		w.shelf.put(time.Now().Add(-25*time.Hour), digest(i))
	}
	var (
		wg         sync.WaitGroup
		mu         sync.Mutex
		registered []job.Digest
		refused    int
		next       = make(chan int)
		collected  = make(chan struct{})
	)
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-collected:
					return
				default:
					if err := w.Collector.Round(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	var creators sync.WaitGroup
	for range 4 {
		creators.Go(func() {
			for i := range next {
				_, err := w.Images.Create(t.Context(), manager.CreateImage{Digest: digest(i)})
				mu.Lock()
				switch {
				case err == nil:
					registered = append(registered, digest(i))
				case fault.ReasonOf(err) == "BLOB_NOT_FOUND":
					refused++
				default:
					t.Errorf("registering: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	for i := range blobs {
		w.shelf.put(time.Now().Add(-25*time.Hour), digest(i)) // it may be gone by now
		next <- i
	}
	close(next)
	creators.Wait()
	close(collected)
	wg.Wait()
	w.round(w.Collector)
	w.wantShelf("in the end", registered...)
	t.Logf("%d registered, %d refused; %d collected, %d spared at the last moment", len(registered), refused, w.tally("blob_collected"), w.tally("blob_spared"))
	if len(registered) == 0 {
		t.Error("nothing was registered, so nothing was tried")
	}
}
