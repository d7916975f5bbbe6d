// Package incoming reads the metadata that a call came with where it lies. What package metadata offers copies all of it, or goes
// through all of it for a key that is not there; most keys that every call is asked for are not there.
package incoming

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// MD gives the metadata that a call came with, nil where there was no call. It must not be changed. Its keys are lower-case.
func MD(ctx context.Context) metadata.MD {
	md, _ := ctx.Value(key).(metadata.MD)
	return md
}

// Value gives the one value of a key, in lower case; "" where there is none, or more than one.
func Value(ctx context.Context, key string) string { return One(MD(ctx), key) }

// One gives the one value of a key in md.
func One(md metadata.MD, key string) string {
	if v := md[key]; len(v) == 1 {
		return v[0]
	}
	return ""
}

var key = KeyOf(func(ctx context.Context) { metadata.FromIncomingContext(ctx) })

// KeyOf gives the key under which a package keeps something in a context, seen by having it ask a context that remembers.
func KeyOf(ask func(context.Context)) any {
	asked := &keyContext{Context: context.Background()}
	ask(asked)
	return asked.key
}

type keyContext struct {
	context.Context
	key any
}

func (c *keyContext) Value(key any) any {
	c.key = key
	return nil
}
