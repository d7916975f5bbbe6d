// Package config fills a struct from a YAML file, the environment and command-line flags, in that order, each over the last.
// A key nobody knows or a value that does not fit is a fault; all of them are told at once, each with where it stands.
// It knows no setting: every package owns its own Config struct with defaults, tags and validation.
package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"calotype/kit/fault"
)

// Sources says where settings come from. Every part may be empty.
type Sources struct {
	File      string         // a YAML file
	EnvPrefix string         // "CALOTYPE_": CALOTYPE_STORAGE__ROOT sets storage.root; "" reads no variables
	Env       []string       // as os.Environ gives it
	EnvIgnore []string       // variables under the prefix that are no settings, such as CALOTYPE_CONFIG
	Flags     *pflag.FlagSet // flags that were given and are named after a key, or tied to one by Bind
}

// Validator is implemented by parts of a configuration that check themselves. Paths are relative to the part; an empty path
// speaks of the part as a whole.
type Validator interface{ Validate() []fault.Field }

// Load fills dst, a pointer to a struct that already holds the defaults. Its fields are tagged `koanf:"name"`; embedded structs
// are part of their parent. The error is an Invalid fault with one Field for each thing that is wrong.
func Load(dst any, src Sources) error {
	l := &loader{where: map[string]string{}, fields: describe(dst)}
	k := koanf.New(".")
	for _, layer := range []map[string]any{l.file(src.File), l.env(src), l.flags(src.Flags)} {
		if err := k.Load(confmap.Provider(layer, "."), nil); err != nil {
			return fault.Wrap(err, fault.Internal, "", "settings cannot be merged")
		}
	}
	for _, f := range l.fields.leaves {
		if i, ok := k.Get(f.name).(int); ok {
			l.set(f, i)
		}
	}
	return l.judge(dst)
}

func (l *loader) set(f field, i int) {
	g := l.given[i]
	l.where[f.name] = g.where
	l.decode(g, g.node, f.value, f.name)
}

// judge has the parts check themselves, and tells all that is wrong.
func (l *loader) judge(dst any) error {
	l.validate(reflect.ValueOf(dst).Elem(), "")
	if len(l.faults) == 0 {
		return nil
	}
	e := fault.New(fault.Invalid, "BAD_CONFIG", "the configuration is wrong")
	e.Fields = l.faults
	return e
}

// given is one value as somebody wrote it. Layers hold its index, because koanf copies what it merges.
type given struct {
	where string // "calotype.yaml:12", "CALOTYPE_LOG__LEVEL", "--log.level"
	node  *yaml.Node
	file  string // the file node stands in, "" for text from elsewhere
}

type loader struct {
	fields  fields
	overlay bool // of a running process: only what is live may be given
	partial bool // sections that dst does not have are somebody else's

	given  []given
	where  map[string]string
	faults []fault.Field
}

func (l *loader) keep(layer map[string]any, key string, g given) {
	layer[key] = len(l.given)
	l.given = append(l.given, g)
}

func (l *loader) fault(where, format string, args ...any) {
	l.faults = append(l.faults, fault.Field{Path: where, Message: fmt.Sprintf(format, args...)})
}

func (l *loader) unknown(where, what, key string, candidates []string) {
	m := "no such " + what + " as " + key
	if s := Nearest(key, candidates); s != "" {
		m += "; did you mean " + s + "?"
	}
	l.fault(where, "%s", m)
}

// secretFile reads a secret's value from the file that a *_FILE setting names.
func (l *loader) secretFile(layer map[string]any, key, path, where string) {
	b, err := os.ReadFile(path)
	if err != nil {
		l.fault(where, "the secret for %s cannot be read: %v", key, err)
		return
	}
	l.keep(layer, key, given{where: where, node: scalar(strings.TrimRight(string(b), "\r\n"))})
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// validate asks parts before the whole, so that the whole's faults come after their causes.
func (l *loader) validate(v reflect.Value, path string) {
	if v.Kind() == reflect.Struct {
		for _, f := range children(v.Type()) {
			l.validate(v.FieldByIndex(f.index), join(path, f.name))
		}
	}
	if !v.CanAddr() {
		return
	}
	c, ok := v.Addr().Interface().(Validator)
	if !ok {
		return
	}
	for _, f := range c.Validate() {
		key := join(path, f.Path)
		where := key
		if w := l.origin(key); w != "" {
			where = w + ": " + key
		}
		// An embedded part's method is also its parent's: the same fault is told once.
		if said := (fault.Field{Path: where, Message: f.Message}); !contains(l.faults, said) {
			l.faults = append(l.faults, said)
		}
	}
}

// origin finds where key, or the setting that holds it, was given.
func (l *loader) origin(key string) string {
	for {
		if w, ok := l.where[key]; ok {
			return w
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return ""
		}
		key = key[:i]
	}
}

func contains(have []fault.Field, f fault.Field) bool {
	for _, h := range have {
		if h == f {
			return true
		}
	}
	return false
}

func join(path, name string) string {
	switch {
	case path == "":
		return name
	case name == "":
		return path
	case strings.HasPrefix(name, "["):
		return path + name
	}
	return path + "." + name
}
