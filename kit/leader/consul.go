package leader

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"
)

// shortestSession is the least that Consul allows; etcd's leases are as long. It matters only where every process of a service died: whoever comes first takes
// the lock from the dead.
const shortestSession = 10 * time.Second

// shortestWait keeps Consul from taking no time for its default of five minutes.
const shortestWait = 10 * time.Millisecond

// consulCell is a key that is locked by a session.
type consulCell struct {
	api  *api.Client
	key  string
	name string // of the session, for people
	ttl  time.Duration
}

func (c *consulCell) read(ctx context.Context, index uint64, wait time.Duration) (view, error) {
	q := &api.QueryOptions{RequireConsistent: true}
	if index > 0 {
		q = &api.QueryOptions{WaitIndex: index, WaitTime: max(wait, shortestWait)}
	}
	pair, meta, err := c.api.KV().Get(c.key, q.WithContext(ctx))
	if err != nil {
		return view{}, fmt.Errorf("reading %s from Consul: %w", c.key, err)
	}
	v := view{index: max(meta.LastIndex, 1)}
	if pair == nil {
		return v, nil
	}
	v.there, v.session, v.version = true, pair.Session, pair.ModifyIndex
	if err := json.Unmarshal(pair.Value, &v.record); err != nil {
		v.record = record{} // not ours: it gets the respect of an unknown leader's heartbeat
	}
	return v, nil
}

func (c *consulCell) take(ctx context.Context, v view, r record) (string, bool, error) {
	// Without checks: an agent's death must not end the session, for the next agent carries on.
	session, _, err := c.api.Session().CreateNoChecks(&api.SessionEntry{
		Name: c.name, TTL: c.ttl.String(), LockDelay: time.Millisecond, Behavior: api.SessionBehaviorRelease,
	}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return "", false, fmt.Errorf("making a session in Consul: %w", err)
	}
	unchanged := &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: c.key}
	if v.there {
		unchanged = &api.KVTxnOp{Verb: api.KVCheckIndex, Key: c.key, Index: v.version}
	}
	ok, err := c.do(ctx, unchanged, &api.KVTxnOp{Verb: api.KVLock, Key: c.key, Session: session, Value: r.json()})
	return session, ok, err
}

func (c *consulCell) beat(ctx context.Context, session string, r record) (bool, error) {
	entry, _, err := c.api.Session().Renew(session, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return false, fmt.Errorf("renewing a session in Consul: %w", err)
	}
	if entry == nil {
		return false, nil
	}
	return c.do(ctx, c.mine(session), &api.KVTxnOp{Verb: api.KVSet, Key: c.key, Value: r.json()})
}

func (c *consulCell) release(ctx context.Context, session string, r record) error {
	if _, err := c.do(ctx, c.mine(session), &api.KVTxnOp{Verb: api.KVUnlock, Key: c.key, Session: session, Value: r.json()}); err != nil {
		return err
	}
	return c.evict(ctx, session)
}

func (c *consulCell) evict(ctx context.Context, session string) error {
	if _, err := c.api.Session().Destroy(session, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		return fmt.Errorf("ending a session in Consul: %w", err)
	}
	return nil
}

func (c *consulCell) mine(session string) *api.KVTxnOp {
	return &api.KVTxnOp{Verb: api.KVCheckSession, Key: c.key, Session: session}
}

// do reports whether all of it was done, or nothing.
func (c *consulCell) do(ctx context.Context, ops ...*api.KVTxnOp) (bool, error) {
	txn := make(api.TxnOps, len(ops))
	for i, op := range ops {
		txn[i] = &api.TxnOp{KV: op}
	}
	ok, _, _, err := c.api.Txn().Txn(txn, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return false, fmt.Errorf("writing %s to Consul: %w", c.key, err)
	}
	return ok, nil
}

func (r record) json() []byte {
	b, _ := json.Marshal(r) // has nothing that can fail
	return b
}
