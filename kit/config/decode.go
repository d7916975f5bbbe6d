package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decode puts a node into v and reports what does not fit. Text from the environment or a flag comes as one scalar: lists are then
// comma-separated, and anything deeper is YAML in its flow form.
func (l *loader) decode(g given, n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && g.file != "" && n.ShortTag() == "!!null" {
		return // "key:" with nothing after it leaves the default
	}
	where := g.where
	if g.file != "" {
		where = at(g.file, n)
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if n.Kind != yaml.ScalarNode {
			l.fault(where+": "+path, "is a single value")
		} else if err := t.UnmarshalText([]byte(n.Value)); err != nil {
			l.fault(where+": "+path, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		l.decode(g, n, p.Elem(), path)
		v.Set(p)
	case reflect.Slice:
		l.decodeSlice(g, n, v, path, where)
	case reflect.Map, reflect.Struct:
		l.decodeMapping(g, n, v, path, where)
	case reflect.Interface:
		var x any
		if err := n.Decode(&x); err != nil {
			l.fault(where+": "+path, "%v", err)
		} else if x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		if n.Kind != yaml.ScalarNode {
			l.fault(where+": "+path, "is a single value")
		} else if err := setScalar(v, n.Value); err != nil {
			if v.Type() == secretType {
				err = fmt.Errorf("does not fit") // never the value itself
			}
			l.fault(where+": "+path, "%v", err)
		}
	}
}

func (l *loader) decodeSlice(g given, n *yaml.Node, v reflect.Value, path, where string) {
	if n.Kind == yaml.ScalarNode && g.file == "" {
		text := strings.TrimSpace(n.Value)
		if flow, ok := parseFlow(text); ok {
			n = flow
		} else {
			n = &yaml.Node{Kind: yaml.SequenceNode}
			for part := range strings.SplitSeq(text, ",") {
				if part = strings.TrimSpace(part); part != "" {
					n.Content = append(n.Content, scalar(part))
				}
			}
		}
	}
	if n.Kind != yaml.SequenceNode {
		l.fault(where+": "+path, "is a list")
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, e := range n.Content {
		l.decode(g, e, s.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(s)
}

func (l *loader) decodeMapping(g given, n *yaml.Node, v reflect.Value, path, where string) {
	if n.Kind == yaml.ScalarNode && g.file == "" {
		if flow, ok := parseFlow(n.Value); ok {
			n = flow
		}
	}
	if n.Kind != yaml.MappingNode {
		l.fault(where+": "+path, "has keys and values of its own")
		return
	}
	if v.Kind() == reflect.Map && v.Type().Key().Kind() != reflect.String {
		panic("config: " + path + " is a map whose keys are no strings")
	}
	if v.Kind() == reflect.Map && v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	named := map[string]child{}
	var names []string
	if v.Kind() == reflect.Struct {
		flatten(v.Type(), nil, func(c child) { named[c.name] = c; names = append(names, c.name) })
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if g.file != "" {
			where = at(g.file, key)
		}
		if line, twice := seen[key.Value]; twice {
			l.fault(where+": "+join(path, key.Value), "is given twice, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		if v.Kind() == reflect.Map {
			// An element of a map cannot be addressed: fill a copy, starting from the default of that name.
			e := reflect.New(v.Type().Elem()).Elem()
			k := reflect.ValueOf(key.Value).Convert(v.Type().Key())
			if old := v.MapIndex(k); old.IsValid() {
				e.Set(old)
			}
			l.decode(g, value, e, join(path, key.Value))
			v.SetMapIndex(k, e)
		} else if c, ok := named[key.Value]; ok {
			l.decode(g, value, v.FieldByIndex(c.index), join(path, key.Value))
		} else {
			l.unknown(where, "key", key.Value, names)
		}
	}
}

// flatten lists a struct's fields with those of embedded structs.
func flatten(t reflect.Type, index []int, each func(child)) {
	for _, c := range children(t) {
		c.index = append(append([]int(nil), index...), c.index...)
		if c.name == "" {
			flatten(t.FieldByIndex(c.index[len(index):]).Type, c.index, each)
			continue
		}
		each(c)
	}
}

func parseFlow(text string) (*yaml.Node, bool) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "{") {
		return nil, false
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		return nil, false
	}
	return doc.Content[0], true
}

func setScalar(v reflect.Value, text string) error {
	if v.Type() == durationType {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 500ms, 10s or 1h30m", text)
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number that fits %d bits", text, v.Type().Bits())
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number from 0 that fits %d bits", text, v.Type().Bits())
		}
		v.SetUint(u)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(f)
	default:
		panic(fmt.Sprintf("config: a setting cannot be a %v", v.Type()))
	}
	return nil
}
