package rpc

import (
	"context"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// extra is what this package adds to go-micro's call options; it travels in CallOptions.Context.
type extra struct {
	key        string
	roundRobin bool
	idempotent bool
	hedge      time.Duration
	grpc       []grpc.CallOption
	desc       *grpc.StreamDesc
	opened     func(*clientStream)
}

type extraKey struct{}

var noExtra = &extra{}

func extraOf(o *client.CallOptions) *extra {
	if o.Context == nil {
		return noExtra
	}
	if e, ok := o.Context.Value(extraKey{}).(*extra); ok {
		return e
	}
	return noExtra
}

// and joins what a stub on Conn asked for with what wrappers added.
func (e *extra) and(more *extra) *extra {
	if more == noExtra {
		return e
	}
	both := *more
	both.grpc = append(e.grpc[:len(e.grpc):len(e.grpc)], more.grpc...)
	return &both
}

func with(set func(*extra)) client.CallOption {
	return func(o *client.CallOptions) {
		e := *extraOf(o) // a copy: the options may be shared by many calls
		set(&e)
		ctx := o.Context
		if ctx == nil {
			ctx = context.Background()
		}
		o.Context = context.WithValue(ctx, extraKey{}, &e)
	}
}

// WithKey sends calls of one key to one node (rendezvous hashing) as long as it is there and not overloaded, so that the node's
// caches serve it.
func WithKey(key string) client.CallOption { return with(func(e *extra) { e.key = key }) }

// WithRoundRobin takes nodes in turn for this call.
func WithRoundRobin() client.CallOption { return with(func(e *extra) { e.roundRobin = true }) }

// WithIdempotent says that this call may be repeated although its method does not declare an idempotency_level.
func WithIdempotent() client.CallOption { return with(func(e *extra) { e.idempotent = true }) }

// IdempotencyKey is the metadata under which WithIdempotencyKey travels.
const IdempotencyKey = "idempotency-key"

// WithIdempotencyKey sends a key by which the server knows a repetition, which makes the call safe to repeat.
func WithIdempotencyKey(key string) client.CallOption {
	return with(func(e *extra) {
		e.idempotent = true
		e.grpc = append(e.grpc[:len(e.grpc):len(e.grpc)], metadataOption{pairs: []string{IdempotencyKey, key}})
	})
}

// WithPriority says how much the call matters to a server that has more to do than it can.
func WithPriority(p Priority) client.CallOption { return WithMetadata(PriorityKey, string(p)) }

// WithMetadata sends metadata with this call, whatever the allow-list says: key, value, key, value...
func WithMetadata(pairs ...string) client.CallOption {
	return WithGRPC(metadataOption{pairs: pairs})
}

// WithGRPC hands options to grpc-go: limits, compression, credentials, where to put header and trailer.
func WithGRPC(opts ...grpc.CallOption) client.CallOption {
	return with(func(e *extra) { e.grpc = append(e.grpc[:len(e.grpc):len(e.grpc)], opts...) })
}

// WithHeader gives the metadata that began the answer.
func WithHeader(md *metadata.MD) client.CallOption { return WithGRPC(grpc.Header(md)) }

// WithTrailer gives the metadata that ended it.
func WithTrailer(md *metadata.MD) client.CallOption { return WithGRPC(grpc.Trailer(md)) }

// metadataOption rides among grpc's options; grpc-go itself ignores it.
type metadataOption struct {
	grpc.EmptyCallOption
	pairs []string
}

// context sets what metadataOption says in the place of what is there.
func (e *extra) context(ctx context.Context) context.Context {
	for _, o := range e.grpc {
		m, ok := o.(metadataOption)
		if !ok {
			continue
		}
		md, _ := metadata.FromOutgoingContext(ctx)
		if md == nil {
			md = metadata.MD{}
		}
		for i := 0; i+1 < len(m.pairs); i += 2 {
			md.Set(m.pairs[i], m.pairs[i+1])
		}
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	return ctx
}
