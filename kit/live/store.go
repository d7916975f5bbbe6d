package live

import (
	"bytes"
	"context"
	"time"

	"calotype/kit/fault"
	"calotype/kit/internal/pause"
	"calotype/kit/registry"
)

// Between two leaders no server of Consul's or etcd's answers for some seconds. Who asks once is not told so at once.
const (
	leaderless = 15 * time.Second
	askAgain   = 100 * time.Millisecond
)

// keeper is what keeps the document. It fails with fault.Unavailable where asking again may help.
type keeper interface {
	// read gives the document as it stands at this moment.
	read(ctx context.Context) (document, error)
	// await gives the document and an index, when there may be what is newer than the index given, or a while later. 0 is at once.
	await(ctx context.Context, index uint64) (document, uint64, error)
	// swap writes text in the place of a version, 0 for none, and reports whether it did.
	swap(ctx context.Context, text []byte, version uint64) (bool, error)
	name() string
	close() error
}

// Store is where the document is kept for all processes: a key of Consul's or etcd's.
type Store struct {
	kept keeper
	key  string
}

// Open names the store: that of cfg.Kind, or else where the registry is, or else Consul. It asks nobody.
func Open(cfg Config, r registry.Config) (*Store, error) {
	s := &Store{key: cfg.Key}
	var err error
	if cfg.Kind == Etcd || cfg.Kind != Consul && r.Kind == registry.Etcd {
		s.kept, err = newEtcd(cfg.Key, r)
	} else {
		s.kept, err = newConsul(cfg.Key, r)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close lets go of connections.
func (s *Store) Close() error { return s.kept.close() }

// Get gives the document and its version, which is 0 where there is none.
func (s *Store) Get(ctx context.Context) (text []byte, version uint64, err error) {
	err = persist(ctx, func() error {
		d, err := s.kept.read(ctx)
		text, version = d.text, d.version
		return err
	})
	return text, version, err
}

// Put puts text in the place of the version that the caller has seen, 0 for none, and gives the new one. Fails with fault.Conflict,
// reason LIVE_CHANGED, when somebody else was quicker: nothing is written then.
func (s *Store) Put(ctx context.Context, text []byte, version uint64) (uint64, error) {
	var written bool
	err := persist(ctx, func() (err error) {
		written, err = s.kept.swap(ctx, text, version)
		return err
	})
	if err != nil {
		return 0, err
	}
	is, now, err := s.Get(ctx)
	if err != nil {
		return 0, err
	}
	// An answer that was lost may have been that it is written: the second try then finds its own document.
	if written || bytes.Equal(is, text) {
		return now, nil
	}
	return now, fault.New(fault.Conflict, "LIVE_CHANGED", "%s is at version %d, not %d: somebody else has changed it meanwhile", s.key, now, version)
}

// persist tries again while nobody can answer.
func persist(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, leaderless)
	defer cancel()
	for {
		err := try()
		if err == nil || fault.KindOf(err) != fault.Unavailable || !pause.For(ctx, askAgain) {
			return err
		}
	}
}

// Name is what faults of the document are told with.
func (s *Store) Name() string { return s.kept.name() }
