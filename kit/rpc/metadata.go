package rpc

import (
	"context"
	"slices"
	"strings"
	"sync"

	micrometa "go-micro.dev/v4/metadata"
	"google.golang.org/grpc/metadata"

	"calotype/kit/internal/incoming"
)

// forwarded are the keys that a request keeps on its way from hop to hop.
var forwarded = []string{"uber-trace-id", "traceparent", "tracestate", "x-request-id", PriorityKey}

// received gives a handler's context go-micro's metadata: what wrappers, opentracing's among them, read.
func received(ctx context.Context) context.Context { return &receivedContext{Context: ctx} }

// receivedContext makes go-micro's map of what came in only when someone asks for it: most handlers never do.
type receivedContext struct {
	context.Context
	once sync.Once
	md   micrometa.Metadata
}

func (c *receivedContext) Value(key any) any {
	if key != microKey {
		return c.Context.Value(key)
	}
	c.once.Do(func() {
		md := incoming.MD(c.Context)
		c.md = make(micrometa.Metadata, len(md))
		for k, v := range md {
			if len(v) > 0 && k[0] != ':' && k != "content-type" {
				c.md[k] = joined(v)
			}
		}
	})
	return c.md
}

// microKey is the key under which go-micro keeps its metadata in a context.
var microKey = incoming.KeyOf(func(ctx context.Context) { micrometa.FromContext(ctx) })

// withheld takes out of a call's context what the handler that makes the call received, all but the allow-list: go-micro keeps
// what came in and what goes out in one map, and a caller's credentials must not travel on by themselves. It runs before the
// client's wrappers, so whatever they set goes out.
func withheld(ctx context.Context, allow []string) context.Context {
	in := incoming.MD(ctx)
	if in == nil {
		return ctx
	}
	mm, ok := micrometa.FromContext(ctx)
	if !ok {
		return ctx
	}
	keep := make(micrometa.Metadata, len(mm))
	for k, v := range mm {
		k = strings.ToLower(k)
		if came := in[k]; len(came) == 0 || joined(came) != v || slices.Contains(allow, k) {
			keep[k] = v
		}
	}
	return micrometa.NewContext(ctx, keep)
}

// outgoing turns go-micro's metadata into gRPC's. What was said in gRPC's own terms wins.
func outgoing(ctx context.Context) context.Context {
	mm, ok := micrometa.FromContext(ctx)
	if !ok || len(mm) == 0 {
		return ctx
	}
	said, _ := metadata.FromOutgoingContext(ctx)
	pairs := make([]string, 0, 2*len(mm))
	for k, v := range mm {
		k = strings.ToLower(k)
		if _, twice := said[k]; !twice && !reserved(k) {
			pairs = append(pairs, k, v)
		}
	}
	if len(pairs) == 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// reserved are keys that gRPC writes itself, or refuses.
func reserved(key string) bool {
	switch key {
	case "", "content-type", "user-agent", "te", "connection", "host":
		return true
	}
	return key[0] == ':' || strings.HasPrefix(key, "grpc-")
}

func joined(v []string) string {
	if len(v) == 1 {
		return v[0]
	}
	return strings.Join(v, ", ")
}
