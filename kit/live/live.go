// Package live has running processes take on settings from one document that they all follow: a key of Consul's or etcd's, or a file. A document
// counts as a whole or not at all: it is taken on when every part of a process has found it good, and whatever becomes of it or of
// those, the last good one stays. It knows no setting: each part brings its own, tagged as live.
package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/kit/internal/pause"
	"calotype/kit/registry"
)

const (
	// patience is how long a process waits for its first document before it begins with what it was started with.
	patience = 3 * time.Second
	// again is how soon a source that failed is asked again.
	again = time.Second
)

// document is what a source has, and where that stands in its history. What is not there is empty.
type document struct {
	text    []byte
	version uint64
}

func (d document) same(o document) bool { return d.version == o.version && bytes.Equal(d.text, o.text) }

// source is where a document is.
type source interface {
	// next gives the document: the first at once, each further one when there is another. Fails when it cannot know.
	next(ctx context.Context) (document, error)
	// name is where faults are told to stand.
	name() string
	// close ends what it takes to know. Nobody asks any more then.
	close() error
}

// part is what a piece of a process makes of a document: nothing yet, but what can.
type part func(config.Document) (commit func(), err error)

// State is what a process has taken on.
type State struct {
	Version  uint64    // of the document in force, 0 for none
	Since    time.Time // when it was taken on
	Rejected uint64    // the version of a later document that was not, 0 for none
	Reason   error     // why
}

// Settings are those of a process that may change. The zero value is not usable. It is safe for concurrent use.
type Settings struct {
	src source // nil: none may
	log *slog.Logger

	mu    sync.Mutex
	parts []part
	force *config.Document // what is in force, once anything is
	state State

	metrics metrics
	once    sync.Once
	ctx     context.Context
	stop    context.CancelFunc
	done    chan struct{}
}

// Process is who follows.
type Process struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// New makes the settings of a process. It asks nobody: a server that is away now may come.
func New(cfg Config, r registry.Config, p Process) (*Settings, error) {
	if fs := cfg.Validate(); len(fs) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the configuration of live settings is wrong", Fields: fs}
	}
	s := &Settings{log: p.Log, done: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	switch cfg.Kind {
	case Off:
		return s, nil
	case File:
		s.src = &file{path: cfg.File}
	case Consul, Etcd:
		store, err := Open(cfg, r)
		if err != nil {
			return nil, err
		}
		s.src = &key{store: store}
	}
	s.metrics = newMetrics(p.Metrics)
	return s, nil
}

// Take has a piece of a process take on what concerns it, when the process starts and ever after. Start is its configuration without a
// document. Prepare is given it with the document over it, and makes whatever can fail; commit only puts that into force: it cannot
// fail, and what runs meanwhile goes on with what it began with. What comes after Start takes on what is in force at once.
func Take[C any](s *Settings, start C, prepare func(C) (commit func(), err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := func(d config.Document) (func(), error) {
		c, err := config.Overlay(start, d)
		if err != nil {
			return nil, err
		}
		return prepare(c)
	}
	s.parts = append(s.parts, p)
	if s.force == nil {
		return
	}
	commit, err := p(*s.force)
	if err != nil {
		s.reject(s.state.Version, err)
		return
	}
	commit()
}

// Start takes on the document there is, if the source answers in time, and goes on following it until Close. It does so once, however
// often it is called.
func (s *Settings) Start() {
	s.once.Do(func() {
		if s.src == nil {
			close(s.done)
			return
		}
		first := make(chan struct{})
		go s.follow(sync.OnceFunc(func() { close(first) }))
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-first:
		case <-timer.C:
			s.log.Warn("no answer about live settings yet; beginning with those of the start", "source", s.src.name())
		}
	})
}

// Close ends following. What is in force stays.
func (s *Settings) Close() {
	s.once.Do(func() { close(s.done) })
	s.stop()
	<-s.done
	if s.src != nil {
		_ = s.src.close() // it was only read
	}
}

// State tells what is in force.
func (s *Settings) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *Settings) follow(first func()) {
	defer close(s.done)
	defer first()
	away := false
	for {
		doc, err := s.src.next(s.ctx)
		switch {
		case s.ctx.Err() != nil:
			return
		case err == nil:
			if away {
				s.log.Info("live settings are followed again", "source", s.src.name())
			}
			away = false
			s.take(doc)
		case !away: // once an outage, not once a try
			away = true
			s.log.Warn("live settings cannot be followed; keeping those in force", "source", s.src.name(), "error", err)
		}
		first()
		if err != nil && !pause.For(s.ctx, again) {
			return
		}
	}
}

// take asks every part before it changes any.
func (s *Settings) take(doc document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := config.Document{Name: s.src.name(), Text: doc.text, Partial: true}
	var commits []func()
	var errs []error
	for _, p := range s.parts {
		commit, err := p(said)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		commits = append(commits, commit)
	}
	if len(errs) > 0 {
		s.reject(doc.version, joined(errs))
		return
	}
	for _, commit := range commits {
		commit()
	}
	s.force, s.state = &said, State{Version: doc.version, Since: time.Now()}
	s.metrics.applied(doc.version)
	s.log.Info("live settings taken on", "source", s.src.name(), "version", doc.version)
}

func (s *Settings) reject(version uint64, why error) {
	s.state.Rejected, s.state.Reason = version, why
	s.metrics.rejected(version)
	s.log.Warn("the live document is wrong, and not taken on; the settings in force stay", "source", s.src.name(), "version", version,
		"in_force", s.state.Version, "error", why)
}

// joined tells a fault once that several parts have found.
func joined(errs []error) error {
	all := &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the document is wrong"}
	seen := map[fault.Field]bool{}
	for _, err := range errs {
		f := fault.As(err)
		if f == nil || len(f.Fields) == 0 {
			return errors.Join(errs...)
		}
		for _, field := range f.Fields {
			if !seen[field] {
				seen[field] = true
				all.Fields = append(all.Fields, field)
			}
		}
	}
	return all
}

func (s State) String() string {
	if s.Rejected == 0 {
		return fmt.Sprintf("version %d", s.Version)
	}
	return fmt.Sprintf("version %d; version %d was not taken on: %v", s.Version, s.Rejected, s.Reason)
}
