//go:build linux

package isolation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// Pool is an engine in helper processes. Its methods may be called concurrently.
type Pool struct {
	opts    Options
	env     []string
	thread  *thread
	fenced  error // why helpers can read every file
	renders bench
	looks   bench

	ctx    context.Context // until Close
	close  context.CancelFunc
	over   sync.Once
	keep   sync.WaitGroup
	sample Sandbox

	alive atomic.Int64
}

// most is how many bytes a looking helper may answer with beside the head.
const mostLook = int64(config.MiB)

// Open starts helpers, and returns once the first is ready: where one cannot be started or not be kept in, the node does not start
// either. It must be closed.
func Open(o Options) (*Pool, error) {
	if Asked() {
		return nil, errors.New("a helper process was started as a node: its main function does not look whether it is one")
	}
	p := &Pool{opts: o, env: environment(os.Environ())}
	p.ctx, p.close = context.WithCancel(context.Background())
	p.thread, p.fenced = newThread()
	if p.fenced == nil {
		p.env = append(p.env, fenced+"=1")
	}
	first, err := p.start()
	p.renders.started(err)
	if err != nil {
		p.close()
		p.thread.end()
		return nil, err
	}
	p.sample = first.sandbox
	p.tell()
	for i := range o.Renders {
		begin := first
		if i > 0 {
			begin = nil
		}
		p.keep.Go(func() { p.keeper(&p.renders, begin) })
	}
	for range o.Looks {
		p.keep.Go(func() { p.keeper(&p.looks, nil) })
	}
	return p, nil
}

// tell says in the log how well the helpers are kept in.
func (p *Pool) tell() {
	if !p.sample.SystemCalls {
		p.opts.Log.Warn("helper processes are NOT kept in: their system calls cannot be filtered here, and worker.helper_sandbox allows that", "error", p.sample.Missing)
	}
	files := "only the system's can be read"
	if !p.sample.Files {
		files = fmt.Sprintf("all that the worker may read can be read: %v", p.fenced)
	}
	p.opts.Log.Info("pictures are decoded in helper processes", "helpers", p.opts.Renders+p.opts.Looks, "memory", p.sample.Memory,
		"system_calls_filtered", p.sample.SystemCalls, "files", files)
}

// Sandbox tells what keeps the helpers in.
func (p *Pool) Sandbox() Sandbox { return p.sample }

// Check fails while no helper can be started.
func (p *Pool) Check(context.Context) error {
	return errors.Join(p.renders.sick(), p.looks.sick())
}

// Close ends every helper, whatever it does, and waits until they are gone.
func (p *Pool) Close() error {
	p.over.Do(func() {
		p.close()
		p.renders.shut()
		p.looks.shut()
		p.keep.Wait()
		p.thread.end()
	})
	return nil
}

// Inspect implements worker.Engine.
func (p *Pool) Inspect(ctx context.Context, data []byte) (job.Picture, error) {
	answer, _, err := p.do(ctx, &p.looks, &message{Kind: inspect}, job.Input{Data: data}, mostLook, nil)
	switch {
	case err != nil:
		return job.Picture{}, err
	case answer.Picture == nil:
		return job.Picture{}, fault.New(fault.Internal, Crashed, "a helper process says nothing of the picture")
	}
	return *answer.Picture, nil
}

// Render implements worker.Engine.
func (p *Pool) Render(ctx context.Context, in job.Input, variants []recipe.Variant, tell func(job.Progress)) ([]worker.Rendered, error) {
	text, err := json.Marshal(recipe.Recipe{Variants: variants})
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the recipe cannot be handed on")
	}
	_, most := p.opts.Settings()
	answer, body, err := p.do(ctx, &p.renders, &message{Kind: render, Recipe: text}, in, most, tell)
	if err != nil {
		return nil, err
	}
	made, err := results(answer, body, variants)
	return made, fault.Wrap(err, fault.Internal, Crashed, "a helper process gave something else than results")
}

// do has a helper make a call.
func (p *Pool) do(ctx context.Context, b *bench, m *message, in job.Input, most int64, tell func(job.Progress)) (message, []byte, error) {
	for try := 1; ; try++ {
		h, err := b.take(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = ended(ctx)
			}
			return message{}, nil, err
		}
		answer, body, err := p.call(ctx, b, h, m, in, most, tell)
		if !errors.Is(err, errUnread) || try == tries {
			return answer, body, err
		}
	}
}

// tries is how often a call is made whose helper ends before it hears of it.
const tries = 3

// call has a helper make a call, and then sit down again, or not.
func (p *Pool) call(ctx context.Context, b *bench, h *helper, m *message, in job.Input, most int64, tell func(job.Progress)) (message, []byte, error) {
	m.Settings = nil
	if settings, _ := p.opts.Settings(); string(settings) != h.settings {
		m.Settings, h.settings = settings, string(settings)
	}
	answer, body, err := h.call(ctx, m, in, most, tell)
	if err != nil && m.Settings != nil {
		h.settings = "" // they may be why
	}
	if errors.Is(err, errBroken) {
		p.opts.Log.Warn("a helper process was lost in the middle of a picture", "pid", h.process.Pid, "reason", h.reason(), "error", err)
		h.region.free()
		return message{}, nil, fault.As(err)
	}
	for _, o := range answer.Observed {
		p.observe(o)
	}
	if why := p.spent(h); why != "" {
		h.dismiss(why)
	} else {
		b.put(h)
	}
	return answer, body, err
}

// spent says why a helper is to be replaced, or nothing.
func (p *Pool) spent(h *helper) string {
	switch {
	case h.calls >= uint64(p.opts.Pictures):
		return byPictures
	case h.calls%16 == 0 && h.resident() > int64(p.opts.Memory)/4: // idle, it should have given back most
		return byMemory
	}
	return ""
}

// results puts a call's results together. What a helper says of them is believed only as far as it does no harm.
func results(answer message, body []byte, variants []recipe.Variant) ([]worker.Rendered, error) {
	if len(answer.Results) != len(variants) || len(answer.Sizes) != len(variants) {
		return nil, fmt.Errorf("%d results and %d sizes for %d variants", len(answer.Results), len(answer.Sizes), len(variants))
	}
	for i := range answer.Results {
		r, n := &answer.Results[i], answer.Sizes[i]
		if n < 0 || n > len(body) {
			return nil, fmt.Errorf("a result of %d bytes, of %d", n, len(body))
		}
		if r.Name != variants[i].Name || r.ContentType != recipe.Format(r.Format).ContentType() {
			return nil, fmt.Errorf("%q in %q is said to be %q in %q", variants[i].Name, r.Format, r.Name, r.ContentType)
		}
		r.Data, body = body[:n:n], body[n:]
	}
	if len(body) > 0 {
		return nil, fmt.Errorf("%d bytes too many", len(body))
	}
	return answer.Results, nil
}

// observe hands on what an operation took, under words that are words.
func (p *Pool) observe(o observed) {
	if op, format := word(o.Op), word(o.Format); op != "" && format != "" && p.opts.Observe != nil {
		p.opts.Observe(op, format, o.Took)
	}
}
