package leader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"calotype/kit/fault"
	"calotype/kit/registry"
)

// etcdCell is two keys: the record, which stays whoever dies, and the lock, which goes with its lease. A session is that lease. Fences
// stand in the record, as with Consul, and not for etcd's revisions: those begin anew where its data is restored or another kind of
// election is chosen, and stores would refuse every leader.
type etcdCell struct {
	etcd *registry.EtcdCluster
	key  string // the record and the lock are below
	ttl  time.Duration
}

func (c *etcdCell) record() string { return c.key + "/record" }
func (c *etcdCell) lock() string   { return c.key + "/lock" }

func (c *etcdCell) read(ctx context.Context, index uint64, wait time.Duration) (view, error) {
	if index > 0 {
		waiting, cancel := context.WithTimeout(ctx, max(wait, shortestWait))
		err := c.etcd.Follow(waiting, c.key+"/", int64(index)+1, func([]*clientv3.Event) bool { return false })
		over := waiting.Err() != nil
		cancel()
		if err != nil && !over && !errors.Is(err, rpctypes.ErrCompacted) {
			return view{}, fmt.Errorf("following %s in etcd: %w", c.key, err)
		}
	}
	var v view
	err := c.etcd.Do(ctx, func(ctx context.Context, e *clientv3.Client) error {
		said, err := e.Txn(ctx).Then(clientv3.OpGet(c.record()), clientv3.OpGet(c.lock())).Commit()
		if err != nil {
			return err
		}
		v = view{index: uint64(said.Header.Revision)}
		if lock := said.Responses[1].GetResponseRange().Kvs; len(lock) > 0 {
			v.session = string(lock[0].Value)
		}
		kept := said.Responses[0].GetResponseRange().Kvs
		if len(kept) == 0 {
			return nil
		}
		v.there, v.version = true, uint64(kept[0].ModRevision)
		if json.Unmarshal(kept[0].Value, &v.record) != nil {
			v.record = record{} // not ours: it gets the respect of an unknown leader's heartbeat
		}
		return nil
	})
	if err != nil {
		return view{}, fmt.Errorf("reading %s from etcd: %w", c.key, err)
	}
	return v, nil
}

func (c *etcdCell) take(ctx context.Context, v view, r record) (string, bool, error) {
	var id clientv3.LeaseID
	err := c.etcd.Do(ctx, func(ctx context.Context, e *clientv3.Client) error {
		said, err := e.Grant(ctx, int64(math.Ceil(c.ttl.Seconds())))
		if err == nil {
			id = said.ID
		}
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("making a lease in etcd: %w", err)
	}
	session := strconv.FormatInt(int64(id), 16)
	// An answer that was lost makes the second try fail, which is as if somebody else had been quicker: the record tells that it is our own.
	ok, err := c.do(ctx, []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(c.record()), "=", int64(v.version)), clientv3.Compare(clientv3.CreateRevision(c.lock()), "=", 0),
	}, clientv3.OpPut(c.lock(), session, clientv3.WithLease(id)), clientv3.OpPut(c.record(), string(r.json())))
	return session, ok, err
}

func (c *etcdCell) beat(ctx context.Context, session string, r record) (bool, error) {
	id, err := leaseOf(session)
	if err != nil {
		return false, err
	}
	alive := false
	err = c.etcd.Do(ctx, func(ctx context.Context, e *clientv3.Client) (err error) {
		alive, err = registry.KeepAlive(ctx, e, id)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("renewing a lease in etcd: %w", err)
	}
	if !alive {
		return false, nil
	}
	return c.do(ctx, c.mine(session), clientv3.OpPut(c.record(), string(r.json())))
}

func (c *etcdCell) release(ctx context.Context, session string, r record) error {
	if _, err := c.do(ctx, c.mine(session), clientv3.OpPut(c.record(), string(r.json())), clientv3.OpDelete(c.lock())); err != nil {
		return err
	}
	return c.evict(ctx, session)
}

func (c *etcdCell) evict(ctx context.Context, session string) error {
	id, err := leaseOf(session)
	if err != nil {
		return err
	}
	err = c.etcd.Do(ctx, func(ctx context.Context, e *clientv3.Client) error {
		_, err := e.Revoke(ctx, id)
		return err
	})
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("ending a lease in etcd: %w", err)
	}
	return nil
}

func (c *etcdCell) mine(session string) []clientv3.Cmp {
	return []clientv3.Cmp{clientv3.Compare(clientv3.Value(c.lock()), "=", session)}
}

// do reports whether all of it was done, or nothing.
func (c *etcdCell) do(ctx context.Context, provided []clientv3.Cmp, ops ...clientv3.Op) (bool, error) {
	ok := false
	err := c.etcd.Do(ctx, func(ctx context.Context, e *clientv3.Client) error {
		said, err := e.Txn(ctx).If(provided...).Then(ops...).Commit()
		if err == nil {
			ok = said.Succeeded
		}
		return err
	})
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("writing %s to etcd: %w", c.key, err)
	}
	return ok, nil
}

func leaseOf(session string) (clientv3.LeaseID, error) {
	id, err := strconv.ParseInt(session, 16, 64)
	if err != nil {
		return 0, fault.New(fault.Internal, "BAD_LEASE", "%q in etcd is no lease's number", session)
	}
	return clientv3.LeaseID(id), nil
}
