package config

import (
	"encoding"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// Key documents one setting.
type Key struct {
	Name    string
	Env     string
	Type    string // string, bool, int, float, duration, size, list, map
	Default string
	Doc     string
	Secret  bool
	Live    bool // takes effect while the process runs, where a live document gives it
}

// Keys documents every setting of dst, a pointer to a struct that holds the defaults, in the order of its fields.
func Keys(dst any, envPrefix string) []Key {
	var out []Key
	for _, f := range describe(dst).leaves {
		k := Key{Name: f.name, Env: EnvName(envPrefix, f.name), Type: kindOf(f.value.Type()), Doc: f.doc, Secret: f.secret, Live: f.live}
		if !f.secret {
			k.Default = show(f)
		}
		out = append(out, k)
	}
	return out
}

// Table writes keys as a Markdown table.
func Table(w io.Writer, keys []Key) error {
	var b strings.Builder
	b.WriteString("| key | variable | default | what it sets |\n|---|---|---|---|\n")
	for _, k := range keys {
		def, env := "", "`"+k.Env+"`"
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		if k.Secret {
			env += ", `" + k.Env + "_FILE`"
		}
		doc := strings.ReplaceAll(k.Doc, "|", `\|`)
		if k.Live {
			doc += " (live)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, env, def, doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func kindOf(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == reflect.TypeFor[Size]():
		return "size"
	case reflect.PointerTo(t).Implements(textType):
		return "string"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Slice:
		return "list"
	case reflect.Map, reflect.Struct, reflect.Interface:
		return "map"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.String:
		return "string"
	}
	return "int"
}

// show writes a default as a user would write it; maps and lists of maps are documented elsewhere.
func show(f field) string {
	if f.secret {
		return ""
	}
	switch x := f.value.Interface().(type) {
	case time.Duration:
		return shorten(x)
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		if err != nil {
			return ""
		}
		return string(b)
	case []string:
		return strings.Join(x, ",")
	}
	switch f.value.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		return ""
	}
	return fmt.Sprint(f.value.Interface())
}

// shorten drops the zero units that Duration.String writes: "1m0s" is "1m".
func shorten(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
