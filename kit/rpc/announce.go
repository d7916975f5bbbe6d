package rpc

import (
	"context"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
)

type announceKey struct{}

// Announce adds a product to what the client's connections say of themselves as their user agent, for servers to know what they can
// expect of every call. It costs nothing a call. Connections that stand say what they said.
func Announce(product string) client.Option {
	return func(o *client.Options) {
		if before := announcement(o); before != "" {
			product = before + " " + product
		}
		o.Context = context.WithValue(o.Context, announceKey{}, product)
	}
}

func announcement(o *client.Options) string {
	said, _ := o.Context.Value(announceKey{}).(string)
	return said
}

// dialing must be called with the lock held.
func (c *Client) dialing() []grpc.DialOption {
	if said := announcement(&c.opts); said != "" {
		return append([]grpc.DialOption{grpc.WithUserAgent(said)}, c.dial...)
	}
	return c.dial
}
