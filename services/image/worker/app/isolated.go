package app

import (
	"bytes"
	"context"
	"encoding/gob"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"calotype/kit/boot"
	"calotype/kit/live"
	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline"
)

// WithDecoder works with what wrap makes of the engine where pictures are decoded: in the helper processes, if there are any.
func WithDecoder(wrap func(Engine) Engine) Option { return func(o *options) { o.decoder = wrap } }

// Help is called first in the main function of a program that runs a node, with what changes its decoder. In a process that was started
// as a node's helper it does that work and does not return.
func Help(opts ...Option) {
	if !isolation.Asked() {
		return
	}
	o := choose(opts)
	os.Exit(isolation.Serve(func(settings []byte, observe func(string, string, time.Duration)) (Engine, error) {
		var cfg pipeline.Config
		if err := gob.NewDecoder(bytes.NewReader(settings)).Decode(&cfg); err != nil {
			return nil, err
		}
		cfg.Observe = observe
		e, err := pipeline.New(cfg)
		if err != nil {
			return nil, err
		}
		if _, err := pipeline.FindCapabilities(); err != nil { // decodes and encodes once in every format
			return nil, err
		}
		here := &engine{}
		here.now.Store(e)
		return o.decoder(here), nil
	}))
}

// decoder is a node's own engine.
type decoder interface {
	Engine
	limit() int64 // bytes of an original
	abilities() job.Abilities
	calls() int64 // so far, in this process
	settings() string
	weigh(in Input, variants []Variant) int64 // see pipeline.Engine
}

// decode makes the node's engine, in this process or in others. What it gives ends it.
func decode(cfg Config, host *boot.Host, o options, observe func(op, format string, took time.Duration)) (decoder, func() error, error) {
	if cfg.Worker.Isolation.Mode == isolation.Process {
		return isolate(cfg, host, observe)
	}
	pictures := &engine{}
	limited := func(c Config) (func(), error) {
		pc := engineConfig(c)
		pc.Observe = observe
		e, err := pipeline.New(pc)
		return func() { pictures.now.Store(e) }, err
	}
	begin, err := limited(cfg)
	if err != nil {
		return nil, nil, err
	}
	begin()
	live.Take(host.Live, cfg, limited)
	return wrapped{o.decoder(pictures), pictures}, func() error { return nil }, nil
}

// engineConfig is what the engine goes by, wherever it is.
func engineConfig(c Config) pipeline.Config {
	return pipeline.Config{Limits: c.Worker.Limits, Formats: c.Worker.Formats}
}

// wrapped is an engine that something was made of.
type wrapped struct {
	Engine
	own *engine
}

func (w wrapped) limit() int64             { return w.own.limit() }
func (w wrapped) settings() string         { return w.own.settings() }
func (w wrapped) abilities() job.Abilities { return w.own.abilities() }
func (w wrapped) calls() int64             { return w.own.calls() }

func (w wrapped) weigh(in Input, variants []Variant) int64 { return w.own.weigh(in, variants) }

// isolated is an engine in helper processes, and what it goes by.
type isolated struct {
	*isolation.Pool
	now atomic.Pointer[settings]
}

type settings struct {
	text  []byte
	alike *pipeline.Engine // as the helpers have it, for questions; it sees no picture
}

func isolate(cfg Config, host *boot.Host, observe func(op, format string, took time.Duration)) (decoder, func() error, error) {
	i := &isolated{}
	limited := func(c Config) (func(), error) {
		var text bytes.Buffer
		pc := engineConfig(c)
		if err := gob.NewEncoder(&text).Encode(pc); err != nil {
			return nil, err
		}
		e, err := pipeline.New(pc)
		return func() { i.now.Store(&settings{text.Bytes(), e}) }, err
	}
	begin, err := limited(cfg)
	if err != nil {
		return nil, nil, err
	}
	begin()
	slots := cfg.Worker.Slots
	if slots == 0 {
		slots = runtime.GOMAXPROCS(0)
	}
	i.Pool, err = isolation.Open(isolation.Options{
		Config: cfg.Worker.Isolation, Renders: slots + 1, Looks: 1 + slots/4, // the slots of both sides are one more than those of each
		Settings: func() ([]byte, int64) {
			s := i.now.Load()
			return s.text, int64(s.alike.Limits().OutputBytes)
		},
		Observe: observe, Metrics: isolation.NewMetrics(host.Metrics), Log: host.Log,
	})
	if err != nil {
		return nil, nil, err
	}
	live.Take(host.Live, cfg, limited)
	host.Health.Add("helpers", func(ctx context.Context) error { return i.Check(ctx) })
	return i, i.Close, nil
}

func (i *isolated) limit() int64 { return int64(i.now.Load().alike.Limits().Bytes) }

func (i *isolated) settings() string { return describe(i.now.Load().alike) }

func (i *isolated) weigh(in Input, variants []Variant) int64 {
	return i.now.Load().alike.Weigh(in, variants)
}

// calls are the helpers', with their memory.
func (i *isolated) calls() int64 { return 0 }

func (i *isolated) abilities() job.Abilities {
	a := i.now.Load().alike.Abilities()
	a.Isolation = isolation.Process
	return a
}

// Sandbox tells what this system has to keep helper processes in.
func Sandbox() isolation.Sandbox { return isolation.Find() }
