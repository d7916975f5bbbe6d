package registry

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdServer is one of etcd's servers.
type etcdServer struct {
	cfg clientv3.Config

	opening chan struct{} // full while the client is made, or closed
	client  *clientv3.Client
	closed  bool
}

var errClosed = errors.New("registry: etcd's client is closed")

func (s *etcdServer) try(ctx context.Context, ask func(context.Context, *clientv3.Client) error) error {
	client, err := s.open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(clientv3.WithRequireLeader(ctx), answer, fmt.Errorf("no answer within %v", answer))
	defer cancel()
	err = ask(ctx, client)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = context.Cause(ctx)
	}
	return err
}

// open makes the client when it is asked for first: with a password that takes the server's answer, and it may not be there yet.
func (s *etcdServer) open(ctx context.Context) (*clientv3.Client, error) {
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.closed {
		return nil, errClosed
	}
	if s.client == nil {
		client, err := clientv3.New(s.cfg)
		if err != nil {
			return nil, err
		}
		s.client = client
	}
	return s.client, nil
}

func (s *etcdServer) close() error {
	s.opening <- struct{}{}
	defer func() { <-s.opening }()
	client := s.client
	s.closed, s.client = true, nil
	if client == nil {
		return nil
	}
	if err := client.Close(); !errors.Is(err, context.Canceled) { // which is how it says that all is well
		return err
	}
	return nil
}
