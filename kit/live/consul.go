package live

import (
	"context"
	"errors"

	"github.com/hashicorp/consul/api"

	"calotype/kit/fault"
	"calotype/kit/registry"
)

// consul keeps the document in a key of Consul's. A version is Consul's ModifyIndex.
type consul struct {
	api *api.Client
	key string
}

func newConsul(key string, r registry.Config) (*consul, error) {
	agents, err := registry.Agents(r)
	if err != nil {
		return nil, err
	}
	return &consul{agents, key}, nil
}

func (c *consul) name() string { return "consul:" + c.key }
func (c *consul) close() error { return nil }

func (c *consul) read(ctx context.Context) (document, error) {
	d, _, err := c.get(ctx, &api.QueryOptions{RequireConsistent: true})
	return d, err
}

func (c *consul) await(ctx context.Context, index uint64) (document, uint64, error) {
	return c.get(ctx, &api.QueryOptions{WaitIndex: index, WaitTime: maxWait})
}

func (c *consul) get(ctx context.Context, q *api.QueryOptions) (document, uint64, error) {
	pair, meta, err := c.api.KV().Get(c.key, q.WithContext(ctx))
	if err != nil {
		return document{}, 0, refused(err, "reading %s from Consul", c.key)
	}
	if pair == nil {
		return document{}, meta.LastIndex, nil
	}
	return document{pair.Value, pair.ModifyIndex}, meta.LastIndex, nil
}

func (c *consul) swap(ctx context.Context, text []byte, version uint64) (bool, error) {
	written, _, err := c.api.KV().CAS(&api.KVPair{Key: c.key, Value: text, ModifyIndex: version}, (&api.WriteOptions{}).WithContext(ctx))
	return written, refused(err, "writing %s to Consul", c.key)
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
