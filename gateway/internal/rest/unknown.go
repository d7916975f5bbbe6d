package rest

import (
	"encoding/json"
	"fmt"
	"sort"

	"google.golang.org/protobuf/reflect/protoreflect"

	"calotype/kit/fault"
)

// unknown finds the fields of JSON that a message does not have, at any depth. What is no JSON object, or of the wrong type, is
// left to the real decoder.
func unknown(data []byte, d protoreflect.MessageDescriptor, path string) []fault.Field {
	if d.ParentFile().Package() == "google.protobuf" {
		return nil // timestamps and their kin are not written as objects
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return nil
	}
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	sort.Strings(names)
	var found []fault.Field
	for _, name := range names {
		field, at := d.Fields().ByTextName(name), join(path, name)
		if field == nil {
			field = d.Fields().ByJSONName(name)
		}
		switch {
		case field == nil:
			found = append(found, fault.Field{Path: at, Message: "there is no such field"})
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			var items []json.RawMessage
			_ = json.Unmarshal(object[name], &items) // not a list: the real decoder says so
			for i, item := range items {
				found = append(found, unknown(item, field.Message(), fmt.Sprintf("%s[%d]", at, i))...)
			}
		default:
			found = append(found, unknown(object[name], field.Message(), at)...)
		}
	}
	return found
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
