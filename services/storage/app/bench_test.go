package app_test

import (
	"bytes"
	"io"
	"strconv"
	"syscall"
	"testing"
	"time"

	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
)

// cpu is what this process has used: the steadier figure on a machine that others use too.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkService is the service and its caller in one process, over loopback.
func BenchmarkService(b *testing.B) {
	r := start(b)
	store := micro(r)
	for _, size := range []int{10 << 10, 1 << 20, 64 << 20} {
		content := blobtest.Content(1, size)
		n := 0
		run := func(name string, do func()) {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				began := cpu(b)
				for range b.N {
					do()
				}
				b.ReportMetric(float64((cpu(b)-began).Microseconds())/float64(b.N), "cpu-us/op")
			})
		}
		run("put", func() {
			n++
			copy(content, strconv.Itoa(n))
			info, _, err := store.Put(b.Context(), bytes.NewReader(content), blob.Want{})
			if err != nil {
				b.Fatal(err)
			}
			if err := store.Delete(b.Context(), info.Digest, time.Time{}); err != nil {
				b.Fatal(err)
			}
		})
		info, _, err := store.Put(b.Context(), bytes.NewReader(content), blob.Want{})
		if err != nil {
			b.Fatal(err)
		}
		run("get", func() {
			_, from, err := store.Open(b.Context(), info.Digest, blob.Part{})
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, from); err != nil || n != int64(size) {
				b.Fatal(n, err)
			}
			from.Close()
		})
	}
}
