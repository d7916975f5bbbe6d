package config

import "reflect"

// Document is the text of settings that change while processes run: YAML, or JSON.
type Document struct {
	Name string // where faults are told to stand
	Text []byte
	// Partial is set for a process that knows only its own sections: others at the top are passed over then.
	Partial bool
}

// Overlay gives what start becomes with a document over it, and leaves start as it is. Only settings whose fields are tagged `live:"true"`
// may be given, themselves or as part of a section that is. The error is as Load's.
func Overlay[C any](start C, doc Document) (C, error) {
	v := reflect.New(reflect.TypeFor[C]())
	v.Elem().Set(clone(reflect.ValueOf(&start).Elem()))
	dst := v.Interface()
	l := &loader{where: map[string]string{}, fields: describe(dst), overlay: true, partial: doc.Partial}
	layer := l.document(doc.Name, doc.Text)
	for _, f := range l.fields.leaves {
		if i, ok := layer[f.name].(int); ok {
			l.set(f, i)
		}
	}
	if err := l.judge(dst); err != nil {
		return start, err
	}
	return *dst.(*C), nil
}

// clone copies what decoding writes into: maps, and structs that hold some. Lists and pointers are replaced as a whole.
func clone(v reflect.Value) reflect.Value {
	switch {
	case v.Kind() == reflect.Map && !v.IsNil():
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for k, e := range v.Seq2() {
			out.SetMapIndex(k, clone(e))
		}
		return out
	case isSection(v.Type()):
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for _, c := range children(v.Type()) {
			out.FieldByIndex(c.index).Set(clone(v.FieldByIndex(c.index)))
		}
		return out
	}
	return v
}
