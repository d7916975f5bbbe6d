package rpc

import (
	"context"
	"reflect"
	"unsafe"
)

// directly gives a unary method of a handler as a function that costs a call what a function costs: reflect.Value.Call takes a
// microsecond and four allocations.
//
// What makes this sound: every handler that protoc-gen-micro registers is a pointer, and so are both messages, and Go passes all
// pointers alike. So a method of such types may be called as one of unsafe.Pointers. Types are compared before each call; where
// anything is different, reflect makes the call.
func directly(handler any, name string, m *serverMethod) func(ctx context.Context, body, rsp any) error {
	slow := func(ctx context.Context, body, rsp any) error {
		return call(m.fn, reflect.ValueOf(ctx), reflect.ValueOf(body), reflect.ValueOf(rsp))
	}
	in, out := reflect.PointerTo(m.in), reflect.PointerTo(m.out)
	method, ok := reflect.TypeOf(handler).MethodByName(name)
	if !ok || method.Type != reflect.FuncOf([]reflect.Type{reflect.TypeOf(handler), contextType, in, out}, []reflect.Type{errorType}, false) ||
		reflect.TypeOf(handler).Kind() != reflect.Pointer {
		return slow
	}
	type plain = func(receiver unsafe.Pointer, ctx context.Context, in, out unsafe.Pointer) error
	// A function is a pointer, and an interface that holds one holds it as it is.
	held := method.Func.Interface()
	word := (*[2]unsafe.Pointer)(unsafe.Pointer(&held))[1]
	fn := *(*plain)(unsafe.Pointer(&word))
	receiver := reflect.ValueOf(handler).UnsafePointer()
	return func(ctx context.Context, body, rsp any) error {
		if reflect.TypeOf(body) != in || reflect.TypeOf(rsp) != out {
			return slow(ctx, body, rsp) // a wrapper put something else in the place of a message
		}
		return fn(receiver, ctx, reflect.ValueOf(body).UnsafePointer(), reflect.ValueOf(rsp).UnsafePointer())
	}
}
