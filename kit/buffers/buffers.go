// Package buffers keeps the byte buffers that messages pass through, to be used again. grpc-go's own pool clears the whole of a buffer each
// time it gives it out, up to four times the message: a quarter of the time of a large stream.
package buffers

import (
	"math/bits"
	"sync"

	"google.golang.org/grpc/mem"
)

// Buffers are kept in sizes of powers of two between these. A larger one is made anew each time, and left to the garbage collector.
const (
	smallest = 8  // 256 B
	largest  = 22 // 4 MiB
	// From here on there is some room more: large messages are often a power of two, and a few bytes that say what it is.
	wide  = 15 // 32 KiB
	extra = 1 << 10
)

// Pool is where all of a process's buffers are. What Get gives holds what it held before: it is for who fills the whole of it.
var Pool mem.BufferPool = &pool{}

type pool struct {
	sizes [largest - smallest + 1]sync.Pool
}

// Get gives a buffer of a length in bytes.
func (p *pool) Get(length int) *[]byte {
	at := size(length)
	if at > largest {
		b := make([]byte, length)
		return &b
	}
	if b, ok := p.sizes[at-smallest].Get().(*[]byte); ok {
		*b = (*b)[:length]
		return b
	}
	b := make([]byte, length, room(at))
	return &b
}

// Put takes a buffer back that Get has given. Nobody may use it any more.
func (p *pool) Put(b *[]byte) {
	at := size(cap(*b))
	if at > largest || cap(*b) != room(at) {
		return // not one of these
	}
	p.sizes[at-smallest].Put(b)
}

// size is the power of two whose buffers hold length.
func size(length int) int {
	if length > 1<<(wide-1) {
		length = max(length-extra, 1<<(wide-1)+1)
	}
	return max(smallest, bits.Len(uint(max(length, 1)-1)))
}

// room is how much they hold.
func room(size int) int {
	if size < wide {
		return 1 << size
	}
	return 1<<size + extra
}
