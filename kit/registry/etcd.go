package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go-micro.dev/v4/registry"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcd keeps a node under a key of its own, with a lease: <root>/<service>/<node>, as go-micro's plugin does, so that its programs and
// ours find each other.
type etcd struct {
	*EtcdCluster

	mu     sync.Mutex
	leases map[string]lease // by key
}

type lease struct {
	id  clientv3.LeaseID
	ttl time.Duration
}

const etcdRoot = "/micro/registry/"

func newEtcd(cfg Config) (registry.Registry, error) {
	c, err := Etcds(cfg)
	if err != nil {
		return nil, err
	}
	return &etcd{EtcdCluster: c, leases: map[string]lease{}}, nil
}

func (e *etcd) String() string                      { return Etcd }
func (e *etcd) Options() registry.Options           { return registry.Options{Addrs: e.Addresses()} }
func (e *etcd) Init(_ ...registry.Option) error     { return nil }
func serviceKey(service string) string              { return path.Join(etcdRoot, flat(service)) + "/" }
func nodeKey(s *registry.Service, id string) string { return path.Join(serviceKey(s.Name), flat(id)) }
func flat(name string) string                       { return strings.ReplaceAll(name, "/", "-") }

// Register writes each node and renews its lease. One that is there as it should be is only renewed: nobody is told of it.
func (e *etcd) Register(s *registry.Service, opts ...registry.RegisterOption) error {
	if len(s.Nodes) == 0 {
		return errors.New("registry: a service without nodes cannot be registered")
	}
	var o registry.RegisterOptions
	for _, opt := range opts {
		opt(&o)
	}
	var errs []error
	for _, n := range s.Nodes {
		value, err := json.Marshal(&registry.Service{Name: s.Name, Version: s.Version, Metadata: s.Metadata, Endpoints: s.Endpoints, Nodes: []*registry.Node{n}})
		if err == nil {
			err = e.Do(or(o.Context), func(ctx context.Context, c *clientv3.Client) error {
				return e.put(ctx, c, nodeKey(s, n.Id), string(value), o.TTL)
			})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("registering %s with etcd: %w", n.Id, err))
		}
	}
	return errors.Join(errs...)
}

func (e *etcd) put(ctx context.Context, c *clientv3.Client, key, value string, ttl time.Duration) error {
	id, err := e.renew(ctx, c, key, ttl)
	if err != nil {
		return err
	}
	is, err := c.Get(ctx, key)
	if err != nil {
		return err
	}
	if len(is.Kvs) == 1 && string(is.Kvs[0].Value) == value && is.Kvs[0].Lease == int64(id) {
		return nil
	}
	if _, err = c.Put(ctx, key, value, clientv3.WithLease(id)); errors.Is(err, rpctypes.ErrLeaseNotFound) {
		e.forget(key) // it ran out just now: the next renewal makes another
	}
	return err
}

// renew gives a lease that lives, 0 where none is asked for.
func (e *etcd) renew(ctx context.Context, c *clientv3.Client, key string, ttl time.Duration) (clientv3.LeaseID, error) {
	if ttl <= 0 {
		e.forget(key)
		return 0, nil
	}
	e.mu.Lock()
	held := e.leases[key]
	e.mu.Unlock()
	if held.ttl == ttl {
		if alive, err := KeepAlive(ctx, c, held.id); err != nil || alive {
			return held.id, err
		}
	}
	granted, err := c.Grant(ctx, int64(math.Ceil(ttl.Seconds())))
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	e.leases[key] = lease{granted.ID, ttl}
	e.mu.Unlock()
	return granted.ID, nil
}

func (e *etcd) forget(key string) clientv3.LeaseID {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer delete(e.leases, key)
	return e.leases[key].id
}

// KeepAlive renews a lease once and reports whether it lives. The client's own way to do so tries without a pause while no server is there.
func KeepAlive(ctx context.Context, c *clientv3.Client, id clientv3.LeaseID) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(ctx)
	if err != nil {
		return false, rpctypes.Error(err)
	}
	if err := s.Send(&pb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
		return false, rpctypes.Error(err)
	}
	said, err := s.Recv()
	if err != nil {
		return false, rpctypes.Error(err)
	}
	return said.TTL > 0, nil
}

// Deregister takes each node out.
func (e *etcd) Deregister(s *registry.Service, opts ...registry.DeregisterOption) error {
	var o registry.DeregisterOptions
	for _, opt := range opts {
		opt(&o)
	}
	var errs []error
	for _, n := range s.Nodes {
		key := nodeKey(s, n.Id)
		id := e.forget(key)
		if err := e.Do(or(o.Context), func(ctx context.Context, c *clientv3.Client) error {
			_, err := c.Delete(ctx, key)
			if err == nil && id != 0 {
				_, _ = c.Revoke(ctx, id) // else it runs out
			}
			return err
		}); err != nil {
			errs = append(errs, fmt.Errorf("taking %s out of etcd: %w", n.Id, err))
		}
	}
	return errors.Join(errs...)
}

// GetService gives a service's versions with the nodes of each. What a server says counts only when it knows a leader: one that is cut
// off may have missed anything.
func (e *etcd) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	var o registry.GetOptions
	for _, opt := range opts {
		opt(&o)
	}
	found, _, err := e.read(or(o.Context), serviceKey(name))
	if err != nil {
		return nil, fmt.Errorf("asking etcd for %s: %w", name, err)
	}
	services := versions(found)
	if len(services) == 0 {
		return nil, registry.ErrNotFound
	}
	return services, nil
}

// ListServices gives all services, ordered by name.
func (e *etcd) ListServices(opts ...registry.ListOption) ([]*registry.Service, error) {
	var o registry.ListOptions
	for _, opt := range opts {
		opt(&o)
	}
	found, _, err := e.read(or(o.Context), etcdRoot)
	if err != nil {
		return nil, fmt.Errorf("asking etcd for all services: %w", err)
	}
	return versions(found), nil
}

// entry is a node as it is kept.
type entry struct {
	key     string
	service *registry.Service
}

// read gives what is below a key, in the keys' order, and the revision that it is of.
func (e *etcd) read(ctx context.Context, prefix string) (found []entry, revision int64, err error) {
	err = e.Do(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, prefix, clientv3.WithPrefix())
		if err != nil {
			return err
		}
		found, revision = nil, r.Header.Revision
		for _, kv := range r.Kvs {
			if s := decode(kv.Value); s != nil {
				found = append(found, entry{string(kv.Key), s})
			}
		}
		return nil
	})
	return found, revision, err
}

// decode gives nil for what is no node.
func decode(value []byte) *registry.Service {
	var s registry.Service
	if err := json.Unmarshal(value, &s); err != nil || s.Name == "" || len(s.Nodes) == 0 || slices.Contains(s.Nodes, nil) {
		return nil
	}
	return &s
}

// versions puts nodes together that are of one version.
func versions(found []entry) []*registry.Service {
	var services []*registry.Service
	for _, f := range found {
		i := slices.IndexFunc(services, func(s *registry.Service) bool { return s.Name == f.service.Name && s.Version == f.service.Version })
		if i < 0 {
			services = append(services, f.service)
			continue
		}
		services[i].Nodes = append(services[i].Nodes, f.service.Nodes...)
	}
	return services
}

func or(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
