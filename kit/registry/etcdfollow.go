package registry

import (
	"context"
	"errors"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A server that froze keeps its connections: one that was asked how far it is and says nothing is left.
const (
	askEvery = time.Second
	silence  = 3 * askEvery
)

var (
	errSilent = errors.New("etcd's server says nothing of changes any more")
	errEnded  = errors.New("etcd's server has ended telling of changes")
)

// Follow tells of the changes of a key, or of all below one that ends with a slash, in order, from a revision on. It returns nil when
// each has returned false, and otherwise an error: when ctx ends, when the revision is not kept any more, and when the server dies,
// freezes or is cut off from the leader. Who wants to go on reads what there is, and follows from there.
func (c *EtcdCluster) Follow(ctx context.Context, key string, from int64, each func([]*clientv3.Event) bool) error {
	server, leave := c.server()
	err := server.follow(ctx, key, from, each)
	if err != nil && ctx.Err() == nil {
		leave()
	}
	return err
}

func (s *etcdServer) follow(ctx context.Context, key string, from int64, each func([]*clientv3.Event) bool) error {
	client, err := s.open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	// A stream of its own: one that is shared stays with its server for as long as anybody uses it.
	w := clientv3.NewWatcher(client)
	defer w.Close()
	opts := []clientv3.OpOption{clientv3.WithRev(from)}
	if strings.HasSuffix(key, "/") {
		opts = append(opts, clientv3.WithPrefix())
	}
	// It returns when the server has begun, and one that has just died never does.
	begun := time.AfterFunc(silence, cancel)
	news := w.Watch(ctx, key, opts...)
	if !begun.Stop() {
		return errSilent
	}
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	heard := time.Now()
	for {
		select {
		case n, ok := <-news:
			switch {
			case !ok && ctx.Err() != nil:
				return ctx.Err()
			case !ok:
				return errEnded
			case n.Err() != nil:
				return n.Err()
			}
			heard = time.Now()
			if len(n.Events) > 0 && !each(n.Events) {
				return nil
			}
		case now := <-ask.C:
			if now.Sub(heard) > silence {
				return errSilent
			}
			asking, done := context.WithTimeout(ctx, askEvery)
			_ = w.RequestProgress(asking) // what goes wrong is told by the silence
			done()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
