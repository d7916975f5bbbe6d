// Package pipeline turns originals into variants by libvips: what a file is, whether it may be decoded at all, one decode for a whole
// set of variants, and every result clean. It knows recipes and pictures, and neither stores, queues nor wire formats.
//
// The binding is a thin shim of our own, not govips: govips keeps its pictures to itself, so that a running operation cannot be
// stopped, and decodes once for each variant.
package pipeline

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
	"unsafe"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
)

// Config configures an Engine.
type Config struct {
	Limits Limits `koanf:"limits"`
	// Formats are the guarded ones that are allowed.
	Formats Formats `koanf:"-"`
	// Observe is told what an operation took: "inspect" and "decode" with the original's format, "encode" with the result's.
	Observe func(op, format string, took time.Duration) `koanf:"-"`
}

// Engine works on pictures. Its methods may be called concurrently; each call uses one core.
type Engine struct {
	limits  Limits
	allowed Formats
	observe func(op, format string, took time.Duration)
}

// start sets libvips up, once for the process: the library is one, however many engines there are.
var start = sync.OnceValue(func() error {
	if C.ct_start() != 0 {
		return lastError("start libvips")
	}
	return nil
})

// New makes an Engine.
func New(cfg Config) (*Engine, error) {
	if bad := cfg.Limits.Validate(); len(bad) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "the engine's limits", Fields: bad}
	}
	if bad := cfg.Formats.Validate(); len(bad) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "the formats that are allowed", Fields: bad}
	}
	if err := start(); err != nil {
		return nil, err
	}
	cfg.Formats.allow()
	e := &Engine{limits: cfg.Limits, allowed: cfg.Formats, observe: cfg.Observe}
	if e.observe == nil {
		e.observe = func(string, string, time.Duration) {}
	}
	return e, nil
}

// Limits gives the limits in force.
func (e *Engine) Limits() Limits { return e.limits }

// Inspect reads what a whole file is and decodes no pixels. It fails with fault.Invalid and probe's reasons when the picture is not
// one that Render takes.
func (e *Engine) Inspect(ctx context.Context, data []byte) (job.Picture, error) {
	pic, _, err := e.inspect(ctx, data)
	return pic, err
}

// inspect gives the outline of the file, too.
func (e *Engine) inspect(ctx context.Context, data []byte) (job.Picture, probe.Header, error) {
	began := time.Now()
	if err := ctx.Err(); err != nil {
		return job.Picture{}, probe.Header{}, err
	}
	h, err := e.admit(data)
	if err != nil {
		return job.Picture{}, h, err
	}
	r, release := hold(ctx)
	defer release()
	var pin runtime.Pinner
	defer pin.Unpin()
	a := r.arena()
	defer a.free()
	src := open(a, &pin, data, h, reading{frames: 1})
	if a.err != nil {
		return job.Picture{}, h, refusal(ctx, a.err)
	}
	pic := describe(src, h, len(data))
	err = e.limits.admit(probe.Header{Format: h.Format, Width: pic.Width, Height: pic.Height, Frames: h.Frames}, len(data))
	if ctx.Err() != nil { // what was read since then means nothing
		return job.Picture{}, h, stopped(ctx)
	}
	e.observe("inspect", h.Format, time.Since(began))
	return pic, h, err
}

func (e *Engine) admit(data []byte) (probe.Header, error) {
	if int64(len(data)) > int64(e.limits.Bytes) {
		return probe.Header{}, e.limits.admit(probe.Header{}, len(data))
	}
	h, err := probe.Read(data, e.allowed...)
	if err != nil {
		return h, err
	}
	if !slices.Contains(capabilities().Load, h.Format) {
		return h, fault.New(fault.Invalid, probe.Unsupported, "the file cannot be used: the picture library of this node was built without %s", h.Format)
	}
	return h, e.limits.admit(h, len(data))
}

// describe takes the decoder's word where it knows more than the outline.
func describe(src picture, h probe.Header, bytes int) job.Picture {
	s := src.size()
	if h.Format == probe.PDF {
		h.Frames = src.pages()
	}
	pic := job.Picture{Format: h.Format, ContentType: h.ContentType, Width: s.w, Height: s.h, Pages: h.Frames,
		HasAlpha: src.hasAlpha(), Orientation: src.orientation(), Size: int64(bytes)}
	if pic.Orientation >= 5 {
		pic.Width, pic.Height = pic.Height, pic.Width
	}
	return pic
}

// reading says how an original is to be opened.
type reading struct {
	shrink int     // JPEG: 1, 2, 4 or 8
	scale  float64 // WebP: up to 1; 0 means 1
	page   int     // the first, from 0
	frames int     // of an animation: 1, or -1 for all
}

// open opens an original; pixels are decoded when they are read. The bytes stay where they are until pin lets go.
func open(a *arena, pin *runtime.Pinner, data []byte, h probe.Header, how reading) picture {
	format := map[string]C.int{probe.JPEG: C.CT_JPEG, probe.PNG: C.CT_PNG, probe.WebP: C.CT_WEBP, probe.GIF: C.CT_GIF,
		probe.JXL: C.CT_JXL, probe.AVIF: C.CT_HEIF, probe.HEIC: C.CT_HEIF, probe.TIFF: C.CT_TIFF}[h.Format]
	if how.scale == 0 {
		how.scale = 1
	}
	if h.Format == probe.PNG {
		data = probe.WithoutText(data)
	}
	pin.Pin(&data[0])
	if drawn(h.Format) || h.Format == probe.BMP {
		return drawing(a, data, h, how)
	}
	var out *C.VipsImage
	return a.own(C.ct_load(format, unsafe.Pointer(&data[0]), C.size_t(len(data)), C.int(max(1, how.shrink)), C.double(how.scale),
		C.int(how.page), C.int(how.frames), flag(greedy(h)), a.reins.c, &out), out, "open "+h.Format)
}

// greedy reports whether the first row of an original costs the whole of it, while its bytes are still read bit by bit: the scans of a
// progressive JPEG, the tiles of an HEIC.
func greedy(h probe.Header) bool {
	return h.Format == probe.JPEG && h.Scans > 1 || h.Format == probe.HEIC || h.Format == probe.JXL || h.Format == probe.AVIF
}

// refusal classifies what went wrong while a file was read: with the outline in order, it is the content.
func refusal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	if fault.As(err) != nil {
		return err
	}
	return fault.Wrap(err, fault.Invalid, probe.Broken, "the picture is damaged or incomplete: its pixels cannot be decoded")
}

// stopped says why a context ended.
func stopped(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(ctx.Err(), fault.Deadline, TooSlow, "the transformation took longer than it may")
	}
	return fault.Wrap(ctx.Err(), fault.Canceled, "", "the transformation was cancelled")
}
