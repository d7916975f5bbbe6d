package app_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/kit/rpc"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

// narrow lets every service handle one call and one stream at once.
func narrow(set *setup) {
	set.gateway.RPC.Shedding = boot.SheddingConfig{Enabled: true, Min: 1, Max: 1, Streams: 1}
}

// turnedAway is how often a method's server had more to do than it could.
func (s *stage) turnedAway(method string) (n float64) {
	s.t.Helper()
	families, err := s.host.Metrics.Gather()
	s.must(err)
	for _, f := range families {
		if f.GetName() != "calotype_rpc_server_shed_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "method" && l.GetValue() == method {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// held makes a request and gives what waits for its answer, which must be good.
func (s *stage) held(r *http.Request) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		rsp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer rsp.Body.Close()
		if body, err := io.ReadAll(rsp.Body); err != nil || rsp.StatusCode >= 300 {
			s.t.Errorf("%s was let in, and got %d %s, %v", r.URL, rsp.StatusCode, body, err)
		}
	})
	return wg.Wait
}

// turnsAway asserts that a request is answered 503 with a time to come again, and that each was tried once.
func (s *stage) turnsAway(method string, request func() *http.Request) {
	s.t.Helper()
	const times = 20
	before := s.turnedAway(method)
	var took []time.Duration
	for range times {
		began := time.Now()
		rsp, body := s.do(request())
		took = append(took, time.Since(began))
		s.wantProblem(rsp, body, http.StatusServiceUnavailable, rpc.ReasonOverloaded)
		if h := rsp.Header.Get("Retry-After"); h != "1" {
			s.t.Errorf("%s: Retry-After is %q", rsp.Request.URL, h)
		}
	}
	// A gateway that waits for the time to come again asks more than once.
	if n := s.turnedAway(method) - before; n != times {
		s.t.Errorf("%d requests were turned away by %.0f calls of %s", times, n, method)
	}
	slices.Sort(took)
	s.t.Logf("%s: 503 in %v (half of them) to %v (the slowest)", method, took[times/2], took[times-1])
}

func TestAnOverloadedServiceIs503WithRetryAfter(t *testing.T) {
	s := newStage(t, narrow)
	s.images.keep("img_f", "", []byte("x"))
	s.worker.gives([]byte("picture"))
	planning, release := make(chan struct{}), make(chan struct{})
	s.images.onPlan = func(_ *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
		planning <- struct{}{}
		<-release
		out.Key, out.Image, out.Variant = "key", &imagev1.Image{Id: "img_f"}, &imagev1.Variant{Name: "fly"}
		return nil
	}
	answered := s.held(s.request("GET", "/i/w_1/img_f.webp", nil))
	<-planning
	s.turnsAway("/image.v1.Images/Get", func() *http.Request { return s.request("GET", "/v1/images/img_f", nil) })
	s.turnsAway("/image.v1.Images/Plan", func() *http.Request { return s.request("GET", "/i/w_2/img_f.webp", nil) })
	s.turnsAway("/image.v1.Jobs/Create", func() *http.Request {
		return s.request("POST", "/v1/jobs", strings.NewReader(`{"image_id":"img_f","preset":"web"}`), "Content-Type", "application/json")
	})
	close(release)
	answered()
	if rsp, body := s.get("/v1/images/img_f"); rsp.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", rsp.StatusCode, body)
	}
}

// narrowStorage holds whoever it lets in.
type narrowStorage struct {
	storagev1.StorageHandler
	in      chan struct{}
	release chan struct{}
}

func (h *narrowStorage) Put(_ context.Context, stream storagev1.Storage_PutStream) error {
	h.in <- struct{}{}
	<-h.release
	for {
		if _, err := stream.Recv(); err != nil {
			return stream.SendMsg(&storagev1.PutResponse{Blob: &storagev1.Blob{Digest: strings.Repeat("a", 64), Size: 4}})
		}
	}
}

func (h *narrowStorage) Get(context.Context, *storagev1.GetRequest, storagev1.Storage_GetStream) error {
	return fault.New(fault.Internal, "", "nobody is let in")
}

func TestServicesFullOfStreamsAre503WithRetryAfter(t *testing.T) {
	store := &narrowStorage{in: make(chan struct{}), release: make(chan struct{})}
	s := newStage(t, narrow, func(set *setup) { set.storage = store })
	s.images.keep("img_f", "", []byte("x"))
	making, release := make(chan struct{}), make(chan struct{})
	s.worker.gives([]byte("picture"))
	give := s.worker.on
	s.worker.on = func(ctx context.Context, in *imagev1.TransformRequest, stream imagev1.Transformer_TransformStream) error {
		making <- struct{}{}
		<-release
		return give(ctx, in, stream)
	}
	upload := func() *http.Request { return s.request("POST", "/v1/images", strings.NewReader("data")) }
	uploaded, made := s.held(upload()), s.held(s.request("GET", "/i/w_1/img_f.webp", nil))
	<-store.in
	<-making
	s.turnsAway("/storage.v1.Storage/Put", upload)
	s.turnsAway("/storage.v1.Storage/Get", func() *http.Request { return s.request("GET", "/v1/images/img_f/original", nil) })
	s.turnsAway("/image.v1.Transformer/Transform", func() *http.Request { return s.request("GET", "/i/w_2/img_f.webp", nil) })
	close(store.release)
	close(release)
	uploaded()
	made()
}

// TestABusyWorkerIsNotWaitedFor has the only worker say itself that it is busy, and for how long.
func TestABusyWorkerIsNotWaitedFor(t *testing.T) {
	s := newStage(t)
	s.images.keep("img_f", "", []byte("x"))
	busy := fault.New(fault.Unavailable, "NODE_BUSY", "every slot of this node is taken")
	busy.RetryAfter = 3 * time.Second
	s.worker.on = func(context.Context, *imagev1.TransformRequest, imagev1.Transformer_TransformStream) error {
		return busy
	}
	began := time.Now()
	rsp, body := s.get("/i/w_5/img_f.webp")
	t.Logf("503 in %v", time.Since(began))
	s.wantProblem(rsp, body, http.StatusServiceUnavailable, "NODE_BUSY")
	if h := rsp.Header.Get("Retry-After"); h != "3" {
		t.Errorf("Retry-After is %q", h)
	}
	if n := s.worker.count(); n != 1 {
		t.Errorf("the only worker was asked %d times", n)
	}
}
