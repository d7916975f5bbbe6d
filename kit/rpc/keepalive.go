package rpc

import (
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// pingKey is the metadata in which a node says how often a client may ping it. Consul takes no dots there.
const pingKey = "grpc-ping"

const pingEvery = 10 * time.Second // grpc-go pings no oftener

// kept is how the connection to a node is kept alive. One whose machine is gone is known after 13 s, idle or not. A server of grpc-go's, as it
// comes, cuts a client off that pings an idle connection, or a busy one within 5 minutes, with all that goes on there: who does not say that
// it takes more is pinged as seldom.
func kept(n *registry.Node) []grpc.DialOption {
	p := keepalive.ClientParameters{Time: 5*time.Minute + pingEvery, Timeout: 3 * time.Second}
	if least, err := time.ParseDuration(n.Metadata[pingKey]); err == nil && least <= pingEvery {
		p.Time, p.PermitWithoutStream = pingEvery, true
	}
	return []grpc.DialOption{grpc.WithKeepaliveParams(p)}
}
