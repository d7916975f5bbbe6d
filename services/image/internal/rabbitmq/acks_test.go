package rabbitmq

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever the order in which deliveries are finished, each is acknowledged once, none before it is finished, and none by a tag that
// the broker does not know any more.
func TestAcksSort(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // it is to repeat itself
		order := random.Perm(50)
		a := newAcks(nil)
		finished, acked := map[uint64]bool{}, map[uint64]bool{}
		for len(order) > 0 {
			n := 1 + random.IntN(min(8, len(order)))
			var tags []uint64
			for _, i := range order[:n] {
				tags = append(tags, uint64(i)+1)
				finished[uint64(i)+1] = true
			}
			order = order[n:]
			upTo, single := a.sort(slices.Clone(tags))
			if upTo > 0 && acked[upTo] {
				t.Fatalf("seed %d: %d is acknowledged twice", seed, upTo)
			}
			for tag := uint64(1); tag <= upTo; tag++ {
				if !finished[tag] {
					t.Fatalf("seed %d: %d is acknowledged with %d before it is finished", seed, tag, upTo)
				}
				acked[tag] = true
			}
			for _, tag := range single {
				if acked[tag] || !finished[tag] {
					t.Fatalf("seed %d: %d is acknowledged wrongly", seed, tag)
				}
				acked[tag] = true
			}
			for _, tag := range tags {
				if !acked[tag] {
					t.Fatalf("seed %d: %d is not acknowledged", seed, tag)
				}
			}
		}
		if len(a.finished) > 0 || a.low != 51 {
			t.Errorf("seed %d: %d remembered, from %d on", seed, len(a.finished), a.low)
		}
	}
}
