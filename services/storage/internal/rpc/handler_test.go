package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	kitrpc "calotype/kit/rpc"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/services/storage/internal/fs"
	"calotype/services/storage/internal/rpc"
)

// service is the handler on real files behind the real server, called by a plain gRPC client.
type service struct {
	storagev1.StorageClient
	root    string
	figures *prometheus.Registry
}

func start(t *testing.T, cfg rpc.Config) service {
	return startWith(t, cfg, func(s blob.Store) blob.Store { return s })
}

func startWith(t *testing.T, cfg rpc.Config, around func(blob.Store) blob.Store) service {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := service{root: t.TempDir(), figures: prometheus.NewPedanticRegistry()}
	store, err := fs.Open(fs.Config{Root: s.root}, log)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := kitrpc.NewServer(kitrpc.ServerConfig{Log: log, Stop: 10 * time.Second},
		server.Name("storage"), server.Address("127.0.0.1:0"), server.Registry(registry.NewMemoryRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	if err := storagev1.RegisterStorageHandler(srv, rpc.New(around(store), cfg, rpc.NewMetrics(s.figures))); err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(srv.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), srv.Stop(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	s.StorageClient = storagev1.NewStorageClient(conn)
	return s
}

func header(digest string, size int64) *storagev1.PutRequest {
	return &storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{Digest: digest, Size: size}}}
}

func chunk(b []byte) *storagev1.PutRequest {
	return &storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: b}}
}

func (s service) put(t *testing.T, messages ...*storagev1.PutRequest) (*storagev1.Blob, error) {
	t.Helper()
	stream, err := s.Put(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if err := stream.Send(m); err != nil {
			break // the answer tells why
		}
	}
	rsp, err := stream.CloseAndRecv()
	return rsp.GetBlob(), err
}

func (s service) get(ctx context.Context, in *storagev1.GetRequest) (*storagev1.Blob, []byte, error) {
	stream, err := s.Get(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	first, err := stream.Recv()
	if err != nil {
		return nil, nil, err
	}
	var b []byte
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return first.GetBlob(), b, nil
		}
		if err != nil {
			return first.GetBlob(), b, err
		}
		b = append(b, m.GetChunk()...)
	}
}

func wantStatus(t *testing.T, err error, code codes.Code, reason string) *status.Status {
	t.Helper()
	st := status.Convert(err)
	got := ""
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == "calotype" {
			got = info.GetReason()
		}
	}
	if st.Code() != code || got != reason {
		t.Errorf("got %v with reason %q (%v), want %v %s", st.Code(), got, st.Message(), code, reason)
	}
	return st
}

// files waits until no temporary is left, and gives the names of the blobs.
func (s service) files(t *testing.T) []string {
	t.Helper()
	s.wait(t, "no temporary is left", func() bool {
		left, err := filepath.Glob(filepath.Join(s.root, "tmp", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(left) == 0
	})
	blobs, err := filepath.Glob(filepath.Join(s.root, "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return blobs
}

func TestWrongUploadsStoreNothing(t *testing.T) {
	s := start(t, rpc.Config{MaxBlob: 3 << 20, MaxStreams: 8})
	b := blobtest.Content(1, 1<<20)
	digest := blobtest.DigestOf(b).String()
	other := blobtest.DigestOf(nil).String()
	for name, c := range map[string]struct {
		messages []*storagev1.PutRequest
		reason   string
	}{
		"nothing at all":      {nil, "HEADER_MISSING"},
		"no header":           {[]*storagev1.PutRequest{chunk(b)}, "HEADER_MISSING"},
		"an empty message":    {[]*storagev1.PutRequest{{}}, "HEADER_MISSING"},
		"two headers":         {[]*storagev1.PutRequest{header("", 0), chunk(b), header("", 0)}, "HEADER_TWICE"},
		"no digest":           {[]*storagev1.PutRequest{header("sha256:"+digest, 0), chunk(b)}, "BAD_DIGEST"},
		"negative size":       {[]*storagev1.PutRequest{header("", -1), chunk(b)}, "BAD_SIZE"},
		"wrong digest":        {[]*storagev1.PutRequest{header(other, 0), chunk(b)}, "DIGEST_MISMATCH"},
		"wrong size":          {[]*storagev1.PutRequest{header(digest, 1<<20+1), chunk(b)}, "SIZE_MISMATCH"},
		"truncated":           {[]*storagev1.PutRequest{header("", 2<<20), chunk(b)}, "SIZE_MISMATCH"},
		"truncated to none":   {[]*storagev1.PutRequest{header(digest, 0)}, "DIGEST_MISMATCH"},
		"promises too much":   {[]*storagev1.PutRequest{header("", 3<<20+1)}, "TOO_LARGE"},
		"sends too much":      {[]*storagev1.PutRequest{header("", 0), chunk(b), chunk(b), chunk(b), chunk(b[:1])}, "TOO_LARGE"},
		"too large a message": {[]*storagev1.PutRequest{header("", 0), chunk(append(b, 0))}, "CHUNK_TOO_LARGE"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.put(t, c.messages...)
			wantStatus(t, err, codes.InvalidArgument, c.reason)
			if files := s.files(t); len(files) > 0 {
				t.Errorf("stored %v", files)
			}
		})
	}
	// As much as is allowed, in full chunks.
	if got, err := s.put(t, header("", 3<<20), chunk(b), chunk(nil), chunk(b), chunk(b)); err != nil || got.GetSize() != 3<<20 {
		t.Errorf("the largest allowed blob: %v, %v", got, err)
	}
}

func TestCallersWhoVanishLeaveNothing(t *testing.T) {
	s := start(t, rpc.DefaultConfig())
	b := blobtest.Content(1, 1<<20)
	for _, chunks := range []int{0, 1, 5} {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := s.Put(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(header("", 0)); err != nil {
			t.Fatal(err)
		}
		for range chunks {
			if err := stream.Send(chunk(b)); err != nil {
				t.Fatal(err)
			}
		}
		s.wait(t, "the upload runs", func() bool { return s.figure(t, "calotype_storage_streams") == 1 })
		cancel()
		s.wait(t, "the upload ends", func() bool { return s.figure(t, "calotype_storage_streams") == 0 })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	stream, err := s.Put(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(header("", 0)); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, stream.RecvMsg(&storagev1.PutResponse{}), codes.DeadlineExceeded, "")
	if files := s.files(t); len(files) > 0 {
		t.Errorf("stored %v", files)
	}

	// A reader who leaves in the middle ends the download behind it.
	if _, err := s.put(t, header("", 0), chunk(b), chunk(b), chunk(b), chunk(b)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	four := blobtest.DigestOf(bytes.Repeat(b, 4)).String()
	down, err := s.Get(ctx, &storagev1.GetRequest{Digest: four})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := down.Recv(); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "the download runs", func() bool { return s.figure(t, "calotype_storage_streams") == 1 })
	cancel()
	s.wait(t, "the download ends", func() bool { return s.figure(t, "calotype_storage_streams") == 0 })
}

func (s service) wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	again, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// figure sums a metric over its labels, or over the one label value that is named.
func (s service) figure(t *testing.T, name string, label ...string) float64 {
	t.Helper()
	families, err := s.figures.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (len(label) == 0 || m.GetLabel()[0].GetValue() == label[0]) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestStreamsAreBounded(t *testing.T) {
	s := start(t, rpc.Config{MaxBlob: 1 << 20, MaxStreams: 1})
	first, err := s.Put(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Send(header("", 0)); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "the upload runs", func() bool { return s.figure(t, "calotype_storage_streams") == 1 })
	_, err = s.put(t, header("", 0))
	st := wantStatus(t, err, codes.Unavailable, "STORAGE_BUSY")
	if kitrpc.Fault(st).RetryAfter <= 0 {
		t.Errorf("does not say when to come again: %v", st.Details())
	}
	if _, err := first.CloseAndRecv(); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "the upload ends", func() bool { return s.figure(t, "calotype_storage_streams") == 0 })
	if _, err := s.put(t, header("", 0)); err != nil {
		t.Error(err)
	}
}

func TestWrongRequests(t *testing.T) {
	s := start(t, rpc.DefaultConfig())
	b := blobtest.Content(1, 10)
	stored, err := s.put(t, header("", 0), chunk(b))
	if err != nil {
		t.Fatal(err)
	}
	absent := blobtest.DigestOf(nil).String()
	stat := func(d string) error { _, err := s.Stat(t.Context(), &storagev1.StatRequest{Digest: d}); return err }
	get := func(d string, offset, length int64) error {
		_, _, err := s.get(t.Context(), &storagev1.GetRequest{Digest: d, Offset: offset, Length: length})
		return err
	}
	remove := func(d string) error { _, err := s.Delete(t.Context(), &storagev1.DeleteRequest{Digest: d}); return err }
	list := func(size int32, token string) error {
		_, err := s.List(t.Context(), &storagev1.ListRequest{PageSize: size, PageToken: token})
		return err
	}
	touch := func(d string) error { _, err := s.Touch(t.Context(), &storagev1.TouchRequest{Digest: d}); return err }
	noTime := &timestamppb.Timestamp{Nanos: -1}
	removeUnused := func(since *timestamppb.Timestamp) error {
		_, err := s.Delete(t.Context(), &storagev1.DeleteRequest{Digest: stored.GetDigest(), UnusedSince: since})
		return err
	}
	_, listUnused := s.List(t.Context(), &storagev1.ListRequest{UnusedSince: noTime})
	for _, c := range []struct {
		name   string
		err    error
		code   codes.Code
		reason string
	}{
		{"Stat of nothing", stat(""), codes.InvalidArgument, "BAD_DIGEST"},
		{"Stat of a path", stat("../../../../etc/passwd"), codes.InvalidArgument, "BAD_DIGEST"},
		{"Stat of what is not there", stat(absent), codes.NotFound, "BLOB_NOT_FOUND"},
		{"Get of nothing", get("x", 0, 0), codes.InvalidArgument, "BAD_DIGEST"},
		{"Get of what is not there", get(absent, 0, 0), codes.NotFound, "BLOB_NOT_FOUND"},
		{"Get past the end", get(stored.GetDigest(), 11, 0), codes.InvalidArgument, "OUT_OF_RANGE"},
		{"Get before the start", get(stored.GetDigest(), -1, 0), codes.InvalidArgument, "OUT_OF_RANGE"},
		{"Get at the end", get(stored.GetDigest(), 10, 0), codes.OK, ""},
		{"Delete of nothing", remove("x"), codes.InvalidArgument, "BAD_DIGEST"},
		{"Delete of what is not there", remove(absent), codes.OK, ""},
		{"Delete of what was used", removeUnused(stored.GetUseTime()), codes.FailedPrecondition, "BLOB_IN_USE"},
		{"Delete of what was used since the first of all times", removeUnused(&timestamppb.Timestamp{Seconds: -62135596800}), codes.FailedPrecondition, "BLOB_IN_USE"},
		{"Delete of what was unused since no time", removeUnused(noTime), codes.InvalidArgument, "BAD_TIME"},
		{"Touch of nothing", touch("x"), codes.InvalidArgument, "BAD_DIGEST"},
		{"Touch of what is not there", touch(absent), codes.NotFound, "BLOB_NOT_FOUND"},
		{"List since no time", listUnused, codes.InvalidArgument, "BAD_TIME"},
		{"List of too much", list(1001, ""), codes.InvalidArgument, "BAD_PAGE_SIZE"},
		{"List of less than none", list(-1, ""), codes.InvalidArgument, "BAD_PAGE_SIZE"},
		{"List with a digest for a token", list(1, stored.GetDigest()), codes.InvalidArgument, "BAD_PAGE_TOKEN"},
		{"List with rubbish for a token", list(1, "!"), codes.InvalidArgument, "BAD_PAGE_TOKEN"},
	} {
		t.Run(c.name, func(t *testing.T) { wantStatus(t, c.err, c.code, c.reason) })
	}
	st := status.Convert(stat("x"))
	if f := kitrpc.Fault(st); len(f.Fields) != 1 || f.Fields[0].Path != "digest" {
		t.Errorf("the wrong field is not named: %v", st.Details())
	}
}

func TestPages(t *testing.T) {
	s := start(t, rpc.DefaultConfig())
	for i := range 101 {
		if _, err := s.put(t, header("", 0), chunk(blobtest.Content(uint64(i), 10))); err != nil {
			t.Fatal(err)
		}
	}
	first, err := s.List(t.Context(), &storagev1.ListRequest{})
	if err != nil || len(first.GetBlobs()) != 100 || first.GetNextPageToken() == "" {
		t.Fatalf("the first page: %d blobs, token %q, %v", len(first.GetBlobs()), first.GetNextPageToken(), err)
	}
	second, err := s.List(t.Context(), &storagev1.ListRequest{PageToken: first.GetNextPageToken()})
	if err != nil || len(second.GetBlobs()) != 1 || second.GetNextPageToken() != "" {
		t.Fatalf("the second page: %d blobs, token %q, %v", len(second.GetBlobs()), second.GetNextPageToken(), err)
	}
	exact, err := s.List(t.Context(), &storagev1.ListRequest{PageSize: 101})
	if err != nil || len(exact.GetBlobs()) != 101 || exact.GetNextPageToken() != "" {
		t.Fatalf("a page of just what there is: %d blobs, token %q, %v", len(exact.GetBlobs()), exact.GetNextPageToken(), err)
	}
}

// What the filter leaves out is looked through all the same, a page at a time.
func TestPagesOfTheUnused(t *testing.T) {
	s := start(t, rpc.DefaultConfig())
	stored := make([]*storagev1.Blob, 30)
	for i := range stored {
		var err error
		if stored[i], err = s.put(t, header("", 0), chunk(blobtest.Content(uint64(i), 10))); err != nil {
			t.Fatal(err)
		}
	}
	want, since := map[string]bool{}, stored[12].GetUseTime()
	for i, b := range stored[:12] {
		if i%2 == 0 {
			want[b.GetDigest()] = true
		} else if _, err := s.Touch(t.Context(), &storagev1.TouchRequest{Digest: b.GetDigest()}); err != nil {
			t.Fatal(err)
		}
	}
	in, pages, found := &storagev1.ListRequest{PageSize: 4, UnusedSince: since}, 0, 0
	for {
		page, err := s.List(t.Context(), in)
		if err != nil || len(page.GetBlobs()) > 4 {
			t.Fatalf("a page of %d blobs, %v", len(page.GetBlobs()), err)
		}
		for _, b := range page.GetBlobs() {
			if !want[b.GetDigest()] || !b.GetUseTime().AsTime().Before(since.AsTime()) {
				t.Errorf("%v is listed as unused since %v", b, since.AsTime())
			}
			found++
		}
		pages++
		if in.PageToken = page.GetNextPageToken(); in.PageToken == "" {
			break
		}
	}
	if found != len(want) || pages != 8 {
		t.Errorf("%d unused blobs on %d pages, want %d on 8", found, pages, len(want))
	}
}

func TestFigures(t *testing.T) {
	s := start(t, rpc.DefaultConfig())
	b := blobtest.Content(1, 1<<20)
	var stored *storagev1.Blob
	for range 3 {
		var err error
		if stored, err = s.put(t, header("", 0), chunk(b)); err != nil {
			t.Fatal(err)
		}
	}
	for _, length := range []int64{0, 1000} {
		if _, _, err := s.get(t.Context(), &storagev1.GetRequest{Digest: stored.GetDigest(), Length: length}); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(s.root, "blobs", stored.GetDigest()[:2], stored.GetDigest())
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	_, got, err := s.get(t.Context(), &storagev1.GetRequest{Digest: stored.GetDigest()})
	wantStatus(t, err, codes.Internal, "BLOB_CORRUPT")
	if len(got) >= len(b)-1 {
		t.Errorf("all %d bytes of a damaged blob arrived", len(got))
	}
	if _, err := s.put(t, header("", 0), chunk(b)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		label []string
		want  float64
	}{
		{"calotype_storage_bytes_total", []string{"in"}, 4 << 20},
		{"calotype_storage_bytes_total", []string{"out"}, 1<<20 + 1000 + float64(len(got))},
		{"calotype_storage_puts_total", []string{"stored"}, 1},
		{"calotype_storage_puts_total", []string{"existed"}, 2},
		{"calotype_storage_puts_total", []string{"healed"}, 1},
		{"calotype_storage_corrupt_total", nil, 2},
	} {
		if got := s.figure(t, c.name, c.label...); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.label, got, c.want)
		}
	}
	if problems, err := testutil.GatherAndLint(s.figures); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// torn is a store that loses its medium in the middle of a read, as an object store's client tells it.
type torn struct{ blob.Store }

func (s torn) Open(ctx context.Context, d blob.Digest, part blob.Part) (blob.Info, io.ReadCloser, error) {
	info, r, err := s.Store.Open(ctx, d, part)
	if err != nil {
		return info, r, err
	}
	return info, struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, 1000), iotest.ErrReader(io.ErrUnexpectedEOF)), r}, nil
}

func TestTornReadIsNoEnd(t *testing.T) {
	s := startWith(t, rpc.DefaultConfig(), func(s blob.Store) blob.Store { return torn{s} })
	stored, err := s.put(t, header("", 0), chunk(blobtest.Content(1, 10_000)))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.get(t.Context(), &storagev1.GetRequest{Digest: stored.GetDigest()})
	wantStatus(t, err, codes.Internal, "")
}
