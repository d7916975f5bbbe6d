package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/rpc"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
)

// opened counts where a node's originals came from.
func opened(t *testing.T, r prometheus.Gatherer) map[string]int {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	from := map[string]int{}
	for _, f := range families {
		if f.GetName() != "calotype_worker_originals_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			from[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
		}
	}
	return from
}

// Calls that are keyed by their original find it where it is kept, and when a node leaves only those move that it had.
func TestOriginalsAreKeptWhereTheyAreAskedFor(t *testing.T) {
	host, n := store(t)
	const nodes, pictures, rounds = 3, 24, 21
	var registries []prometheus.Gatherer
	var leave []func() error
	for i := range nodes {
		host.ID = fmt.Sprintf("node-%d", i)
		leave = append(leave, worker(t, config(t, filepath.Join(t.TempDir(), fmt.Sprintf("queue-%d.db", i))), host))
		registries = append(registries, host.Metrics)
	}
	var digests []string
	for i := range pictures {
		im := image.NewGray(image.Rect(0, 0, 8, 8))
		im.Set(i%8, i/8, color.White)
		var b bytes.Buffer
		if err := png.Encode(&b, im); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b.Bytes())
		d := hex.EncodeToString(sum[:])
		if err := n.blobs.Put(t.Context(), job.Digest(d), b.Bytes()); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
	}
	calls := imagev1.NewTransformerService(proto.Worker, host.Client())
	round := func(width int) {
		for _, d := range digests {
			v := &imagev1.Variant{Name: "a", Operations: []*imagev1.Operation{{Op: &imagev1.Operation_Resize{Resize: &imagev1.Resize{Width: int32(width)}}}}}
			stream, err := calls.Transform(t.Context(), &imagev1.TransformRequest{Digest: d, Variants: []*imagev1.Variant{v}}, rpc.WithKey(d))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			_ = stream.Close()
		}
	}
	for i := range rounds {
		round(1 + i%7)
	}
	kept, fetched, of := 0, 0, make([]int, nodes)
	for i, r := range registries {
		from := opened(t, r)
		kept, fetched, of[i] = kept+from["memory"], fetched+from["storage"], from["storage"]
	}
	t.Logf("%d of %d came from memory; the nodes fetched %v", kept, kept+fetched, of)
	if kept+fetched != pictures*rounds || kept*100 < 95*(kept+fetched) {
		t.Errorf("%d from memory, %d fetched, of %d", kept, fetched, pictures*rounds)
	}
	if of[0] == 0 || of[0] > 2*pictures/nodes {
		t.Errorf("the first of %d nodes had %d of %d", nodes, of[0], pictures)
	}
	if err := leave[0](); err != nil {
		t.Fatal(err)
	}
	round(7)
	moved := 0
	for i, r := range registries[1:] {
		moved += opened(t, r)["storage"] - of[i+1]
	}
	if moved == 0 || moved > of[0]+1 { // a busy machine may have sent one elsewhere before
		t.Errorf("%d moved, where the node that left had %d", moved, of[0])
	}
}
