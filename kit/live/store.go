package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"calotype/kit/fault"
	"calotype/kit/registry"
)

// Between two leaders no server of Consul's answers for some seconds. Who asks once is not told so at once.
const (
	leaderless = 15 * time.Second
	askAgain   = 100 * time.Millisecond
)

// Store is where the document is kept for all processes: a key of Consul's.
type Store struct {
	api *api.Client
	key string
}

// Open names the store. It asks nobody.
func Open(cfg Config, r registry.Config) (*Store, error) {
	agents, err := registry.Agents(r)
	if err != nil {
		return nil, err
	}
	return &Store{api: agents, key: cfg.Key}, nil
}

// Get gives the document and its version, which is 0 where there is none.
func (s *Store) Get(ctx context.Context) (text []byte, version uint64, err error) {
	err = persist(ctx, func() error {
		d, _, err := s.read(ctx, &api.QueryOptions{RequireConsistent: true})
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
		written, _, err = s.api.KV().CAS(&api.KVPair{Key: s.key, Value: text, ModifyIndex: version}, (&api.WriteOptions{}).WithContext(ctx))
		return refused(err, "writing %s to Consul", s.key)
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

func (s *Store) read(ctx context.Context, q *api.QueryOptions) (document, uint64, error) {
	pair, meta, err := s.api.KV().Get(s.key, q.WithContext(ctx))
	if err != nil {
		return document{}, 0, refused(err, "reading %s from Consul", s.key)
	}
	if pair == nil {
		return document{}, meta.LastIndex, nil
	}
	return document{pair.Value, pair.ModifyIndex}, meta.LastIndex, nil
}

// refused tells what asking again cannot change from what it may.
func refused(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	kind := fault.Unavailable
	if status := (api.StatusError{}); errors.As(err, &status) && status.Code < 500 {
		kind = fault.Denied
	}
	return fault.Wrap(err, kind, "", format, args...)
}

// persist tries again while nobody can answer.
func persist(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, leaderless)
	defer cancel()
	for {
		err := try()
		if err == nil || fault.KindOf(err) != fault.Unavailable || !pause(ctx, askAgain) {
			return err
		}
	}
}

// Name is what faults of the document are told with.
func (s *Store) Name() string { return fmt.Sprintf("consul:%s", s.key) }
