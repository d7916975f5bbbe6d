package rest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"calotype/kit/fault"
)

// checked is a connection that no call passes whose address has parameters that the route does not take: the runtime would ignore
// them, and a misspelt filter must not pass for none.
type checked struct{ grpc.ClientConnInterface }

func (c checked) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	if err := badQuery(ctx); err != nil {
		return err
	}
	return c.ClientConnInterface.Invoke(ctx, method, in, out, opts...)
}

func (c checked) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if err := badQuery(ctx); err != nil {
		return nil, err
	}
	return c.ClientConnInterface.NewStream(ctx, d, method, opts...)
}

// badQuery finds what is wrong with the parameters of the request that ctx belongs to, all of it at once; nil is nothing.
func badQuery(ctx context.Context) error {
	a, routed := ctx.Value(answerKey{}).(*answer)
	name, named := runtime.RPCMethod(ctx)
	if !routed || !named || a.request.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(a.request.URL.RawQuery)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "", "the address's parameters cannot be read")
	}
	known, err := parameters(ctx, name, a.request.Method)
	if err != nil {
		return err
	}
	f := fault.New(fault.Invalid, "", "the address's parameters are not right")
	for name, values := range query {
		if said := wrongValues(known, name, values); said != "" {
			f.Fields = append(f.Fields, fault.Field{Path: name, Message: said})
		}
	}
	if len(f.Fields) == 0 {
		return nil
	}
	slices.SortFunc(f.Fields, func(a, b fault.Field) int { return cmp.Compare(a.Path, b.Path) })
	return f
}

// parameters are the fields of a method's request that stand in the query: those that the path does not have, and none where the
// request is the body.
func parameters(ctx context.Context, method, verb string) ([]protoreflect.FieldDescriptor, error) {
	if verb != http.MethodGet && verb != http.MethodHead {
		return nil, nil
	}
	full := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(full)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the contract has no %s", full)
	}
	path, _ := runtime.HTTPPathPattern(ctx)
	fields := found.(protoreflect.MethodDescriptor).Input().Fields()
	var known []protoreflect.FieldDescriptor
	for i := range fields.Len() {
		if f := fields.Get(i); !strings.Contains(path, "{"+f.TextName()+"}") {
			known = append(known, f)
		}
	}
	return known, nil
}

func wrongValues(known []protoreflect.FieldDescriptor, name string, values []string) string {
	i := slices.IndexFunc(known, func(f protoreflect.FieldDescriptor) bool { return f.TextName() == name || f.JSONName() == name })
	switch {
	case i < 0 && len(known) == 0:
		return "there is no such parameter; this route takes none"
	case i < 0:
		return "there is no such parameter; there is " + listed(known, protoreflect.FieldDescriptor.TextName)
	case len(values) > 1 && !known[i].IsList():
		return "is given twice"
	}
	for _, v := range values {
		if said := wrongValue(known[i], v); said != "" {
			return strconv.Quote(v) + said
		}
	}
	return ""
}

// wrongValue tells what is wrong with a value of one of the kinds that stand in queries.
func wrongValue(f protoreflect.FieldDescriptor, value string) string {
	switch f.Kind() {
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		bits := 64
		if f.Kind() == protoreflect.Int32Kind {
			bits = 32
		}
		switch _, err := strconv.ParseInt(value, 0, bits); {
		case errors.Is(err, strconv.ErrRange):
			return " is too large a number"
		case err != nil:
			return " is not a whole number"
		}
	case protoreflect.BoolKind:
		if _, err := strconv.ParseBool(value); err != nil {
			return " is not true or false"
		}
	case protoreflect.EnumKind:
		words := f.Enum().Values()
		n, err := strconv.ParseInt(value, 0, 32)
		if words.ByName(protoreflect.Name(value)) == nil && (err != nil || words.ByNumber(protoreflect.EnumNumber(n)) == nil) {
			var all []protoreflect.EnumValueDescriptor
			for i := range words.Len() {
				if w := words.Get(i); w.Number() != 0 {
					all = append(all, w)
				}
			}
			return " is none of " + listed(all, func(w protoreflect.EnumValueDescriptor) string { return string(w.Name()) })
		}
	}
	return ""
}

func listed[T any](all []T, name func(T) string) string {
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = name(one)
	}
	return strings.Join(names, ", ")
}
