package live

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"

	"calotype/kit/fault"
	"calotype/kit/registry"
)

// etcd keeps the document in a key of etcd's. A version is the revision that wrote it.
type etcd struct {
	cluster *registry.EtcdCluster
	key     string
}

func newEtcd(key string, r registry.Config) (*etcd, error) {
	c, err := registry.Etcds(r)
	if err != nil {
		return nil, err
	}
	return &etcd{c, key}, nil
}

func (e *etcd) name() string { return "etcd:" + e.key }
func (e *etcd) close() error { return e.cluster.Close() }

func (e *etcd) read(ctx context.Context) (document, error) {
	d, _, err := e.get(ctx)
	return d, err
}

func (e *etcd) await(ctx context.Context, index uint64) (document, uint64, error) {
	if index > 0 {
		waiting, cancel := context.WithTimeout(ctx, maxWait)
		err := e.cluster.Follow(waiting, e.key, int64(index)+1, func([]*clientv3.Event) bool { return false })
		over := waiting.Err() != nil
		cancel()
		if err != nil && !over && !errors.Is(err, rpctypes.ErrCompacted) {
			return document{}, 0, barred(err, "following %s in etcd", e.key)
		}
	}
	return e.get(ctx)
}

func (e *etcd) get(ctx context.Context) (d document, index uint64, err error) {
	err = e.cluster.Do(ctx, func(ctx context.Context, c *clientv3.Client) error {
		said, err := c.Get(ctx, e.key)
		if err != nil {
			return err
		}
		d, index = document{}, uint64(said.Header.Revision)
		if len(said.Kvs) > 0 {
			d = document{said.Kvs[0].Value, uint64(said.Kvs[0].ModRevision)}
		}
		return nil
	})
	return d, index, barred(err, "reading %s from etcd", e.key)
}

func (e *etcd) swap(ctx context.Context, text []byte, version uint64) (written bool, err error) {
	err = e.cluster.Do(ctx, func(ctx context.Context, c *clientv3.Client) error {
		said, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(e.key), "=", int64(version))).Then(clientv3.OpPut(e.key, string(text))).Commit()
		if err == nil {
			written = said.Succeeded
		}
		return err
	})
	return written, barred(err, "writing %s to etcd", e.key)
}

// barred tells what asking again cannot change from what it may.
func barred(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	kind := fault.Unavailable
	if said := (rpctypes.EtcdError{}); errors.As(err, &said) {
		switch said.Code() {
		case codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument:
			kind = fault.Denied
		}
	}
	return fault.Wrap(err, kind, "", format, args...)
}
