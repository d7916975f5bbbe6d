package rest

import (
	"bytes"
	"cmp"
	"io"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// output writes every scalar and list, so that clients find all fields, and leaves out messages that are not there.
var output = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}

// Marshal writes a message as every route answers with it.
func Marshal(m proto.Message) ([]byte, error) { return output.Marshal(m) }

// Unmarshal reads JSON into m. What is wrong comes back as a fault that names every field the message does not have, each path
// beginning with prefix.
func Unmarshal(data []byte, m proto.Message, prefix string) error {
	if fields := unknown(data, m.ProtoReflect().Descriptor(), prefix); len(fields) > 0 {
		f := fault.New(fault.Invalid, "UNKNOWN_FIELD", "the JSON has fields that are not known here")
		f.Fields = fields
		return f
	}
	if err := (protojson.UnmarshalOptions{}).Unmarshal(data, m); err != nil {
		f := fault.New(fault.Invalid, "BAD_JSON", "%s", plain(err))
		if f.Err = err; prefix != "" {
			f.Fields = []fault.Field{{Path: prefix, Message: "cannot be read"}}
		}
		return f
	}
	return nil
}

// plain takes the library's name off its message, and the no-break space it hides there.
func plain(err error) string {
	text := bytes.ReplaceAll([]byte(err.Error()), []byte("\u00a0"), []byte(" "))
	return string(bytes.TrimPrefix(text, []byte("proto: ")))
}

// marshaler is the mux's. Its decoder reports what is wrong to the body it reads from: the generated handlers pass on nothing
// but text.
type marshaler struct{ runtime.JSONPb }

func newMarshaler() *marshaler {
	return &marshaler{runtime.JSONPb{MarshalOptions: output}}
}

// Marshal is the runtime's without its copy, where it writes a message.
func (m *marshaler) Marshal(v any) ([]byte, error) {
	if msg, ok := v.(proto.Message); ok {
		return Marshal(msg)
	}
	return m.JSONPb.Marshal(v)
}

func (m *marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		err := decode(r, v)
		if b, ok := r.(*body); ok && err != nil {
			b.wrong = err
		}
		return err
	})
}

func decode(r io.Reader, v any) error {
	msg, ok := v.(proto.Message)
	if !ok {
		return fault.New(fault.Internal, "", "the route reads %T, which is no message", v)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := Unmarshal(data, msg, ""); err != nil {
			return err
		}
	}
	b, ok := r.(*body)
	if !ok {
		return nil
	}
	switch create := msg.(type) {
	case *imagev1.CreateJobRequest:
		create.IdempotencyKey = cmp.Or(create.IdempotencyKey, b.key)
	case *imagev1.CreateBatchRequest:
		create.IdempotencyKey = cmp.Or(create.IdempotencyKey, b.key)
	}
	return nil
}
