package live

import (
	"context"
	"fmt"

	"github.com/hashicorp/consul/api"

	"calotype/kit/fault"
	"calotype/kit/registry"
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
	d, _, err := s.read(ctx, &api.QueryOptions{RequireConsistent: true})
	return d.text, d.version, err
}

// Put puts text in the place of the version that the caller has seen, 0 for none, and gives the new one. Fails with fault.Conflict,
// reason LIVE_CHANGED, when somebody else was quicker: nothing is written then.
func (s *Store) Put(ctx context.Context, text []byte, version uint64) (uint64, error) {
	ok, _, err := s.api.KV().CAS(&api.KVPair{Key: s.key, Value: text, ModifyIndex: version}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return 0, fault.Wrap(err, fault.Unavailable, "", "writing %s to Consul", s.key)
	}
	now, err := s.look(ctx)
	if err != nil {
		return 0, err
	}
	// An answer that was lost may have been that it is written: the second try then finds its own document.
	if ok || now.same(document{text, now.version}) {
		return now.version, nil
	}
	return now.version, fault.New(fault.Conflict, "LIVE_CHANGED", "%s is at version %d, not %d: somebody else has changed it meanwhile", s.key, now.version, version)
}

func (s *Store) look(ctx context.Context) (document, error) {
	d, _, err := s.read(ctx, &api.QueryOptions{RequireConsistent: true})
	return d, err
}

func (s *Store) read(ctx context.Context, q *api.QueryOptions) (document, uint64, error) {
	pair, meta, err := s.api.KV().Get(s.key, q.WithContext(ctx))
	if err != nil {
		return document{}, 0, fault.Wrap(err, fault.Unavailable, "", "reading %s from Consul", s.key)
	}
	if pair == nil {
		return document{}, meta.LastIndex, nil
	}
	return document{pair.Value, pair.ModifyIndex}, meta.LastIndex, nil
}

// Name is what faults of the document are told with.
func (s *Store) Name() string { return fmt.Sprintf("consul:%s", s.key) }
