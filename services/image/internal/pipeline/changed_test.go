package pipeline

import (
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// The fuzzers' short form, without a fuzzer: some changes of each seed, the same in every run.
func TestChangedSeeds(t *testing.T) {
	e := tough(t)
	for name, seed := range e.seeds(t, "*.*") {
		t.Run(name, func(t *testing.T) {
			sum := fnv.New64()
			_, _ = sum.Write([]byte(name)) // never fails
			r := rand.New(rand.NewPCG(sum.Sum64(), 1))
			for range 25 {
				data := changed(r, seed)
				if filepath.Ext(name) == ".png" {
					data = mended(data)
				}
				e.endure(t, data)
			}
		})
	}
}

// changed is a copy with one to four bytes, stretches or ends changed.
func changed(r *rand.Rand, seed []byte) []byte {
	data := slices.Clone(seed)
	for range 1 + r.IntN(4) {
		from := r.IntN(len(data))
		to := min(len(data), from+1+r.IntN(16))
		switch r.IntN(8) {
		case 0:
			data = slices.Delete(data, from, to)
		case 1:
			data = slices.Insert(data, from, data[from:to]...)
		case 2:
			data = data[:max(1, from)]
		case 3:
			data[from] = []byte{0, 1, 0x7f, 0x80, 0xff}[r.IntN(5)]
		default:
			data[from] ^= 1 << r.IntN(8)
		}
		if len(data) == 0 {
			return []byte{0}
		}
	}
	return data
}
