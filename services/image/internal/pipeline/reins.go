package pipeline

// #include "shim.h"
import "C"

import (
	"context"
	"sync"
	"sync/atomic"
	"unsafe"
)

// reins holds every picture of one call that is alive, so that all work on them can be stopped at once.
type reins struct {
	c *C.ct_reins // what libvips looks at while it computes

	mu     sync.Mutex
	live   map[*C.VipsImage]struct{}
	pulled bool
}

// hold makes reins that are pulled when ctx ends. Release must be called, when no picture is left.
func hold(ctx context.Context) (r *reins, release func()) {
	r = &reins{c: (*C.ct_reins)(C.calloc(1, C.sizeof_ct_reins)), live: map[*C.VipsImage]struct{}{}}
	stop := context.AfterFunc(ctx, r.pull)
	return r, func() {
		stop()
		r.mu.Lock()
		defer r.mu.Unlock()
		C.free(unsafe.Pointer(r.c))
		r.c = nil // it may be pulled at this very moment
	}
}

// pull makes libvips give up at the next few rows it computes, or bytes it reads. An encoder or decoder that takes a whole picture in
// one call cannot be stopped inside of it: AVIF both ways, WebP when it is read and (before libvips 8.15) written, the palette
// of a GIF or a PNG, an interlaced PNG, the frames of an animation before the one that is asked for.
func (r *reins) pull() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.c == nil {
		return
	}
	r.pulled = true
	C.ct_pull(r.c)
	for p := range r.live {
		C.vips_image_set_kill(p, 1)
	}
}

func (r *reins) add(p *C.VipsImage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[p] = struct{}{}
	C.ct_follow(p, r.c)
	if r.pulled {
		C.vips_image_set_kill(p, 1)
	}
}

func (r *reins) drop(p *C.VipsImage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, p)
}

// percent is how much of what is being computed is done.
func (r *reins) percent() int { return int(atomic.LoadInt32((*int32)(unsafe.Pointer(&r.c.percent)))) }

// rewind forgets the percent of what was computed before.
func (r *reins) rewind() { atomic.StoreInt32((*int32)(unsafe.Pointer(&r.c.percent)), 0) }
