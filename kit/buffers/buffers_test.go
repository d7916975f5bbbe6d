package buffers_test

import (
	"testing"

	"google.golang.org/grpc/mem"

	"calotype/kit/buffers"
)

func TestABufferHasItsLengthAndRoom(t *testing.T) {
	for length, room := range map[int]int{
		0: 256, 1: 256, 256: 256, 257: 512, 16 << 10: 16 << 10, 16<<10 + 1: 33 << 10, 256<<10 + 5: 257 << 10,
		257<<10 + 1: 513 << 10, 4<<20 + 1<<10: 4<<20 + 1<<10, 4<<20 + 1<<10 + 1: 4<<20 + 1<<10 + 1,
	} {
		for range 3 { // made anew, and used again
			b := buffers.Pool.Get(length)
			if len(*b) != length || cap(*b) != room {
				t.Errorf("%d: there are %d bytes with room for %d", length, len(*b), cap(*b))
			}
			buffers.Pool.Put(b)
		}
	}
}

// A buffer comes back shorter than it was given, or from somebody else; none may be given that is too short.
func TestWhatComesBackIsWhole(t *testing.T) {
	for range 100 {
		b := buffers.Pool.Get(1000)
		*b = (*b)[:10]
		buffers.Pool.Put(b)
		foreign := make([]byte, 700)
		buffers.Pool.Put(&foreign)
		for _, length := range []int{513, 700, 1024} {
			if b := buffers.Pool.Get(length); len(*b) != length || cap(*b) != 1024 {
				t.Fatalf("%d: there are %d bytes with room for %d", length, len(*b), cap(*b))
			}
		}
	}
}

func BenchmarkPool(b *testing.B) {
	for name, pool := range map[string]mem.BufferPool{"ours": buffers.Pool, "grpc-go's": mem.DefaultBufferPool()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pool.Put(pool.Get(256 << 10))
			}
		})
	}
}
