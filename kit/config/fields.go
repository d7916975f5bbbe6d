package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"
)

// field is a setting: a struct field that is filled as one value.
type field struct {
	name   string // dotted
	doc    string
	secret bool
	live   bool // takes effect while the process runs
	value  reflect.Value
}

type fields struct {
	leaves   []field
	byName   map[string]field
	sections map[string]bool // "log", "rpc.tls": what holds settings and is none
}

func (f fields) names(live bool) []string {
	out := make([]string, 0, len(f.leaves))
	for _, l := range f.leaves {
		if l.live || !live {
			out = append(out, l.name)
		}
	}
	return out
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// describe lists the settings of a pointer to a struct. A type that cannot be filled is a programmer's mistake and panics.
func describe(dst any) fields {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: %T is not a pointer to a struct", dst))
	}
	fs := fields{byName: map[string]field{}, sections: map[string]bool{}}
	fs.walk(v.Elem(), "", false)
	return fs
}

func (fs *fields) walk(v reflect.Value, path string, live bool) {
	for _, c := range children(v.Type()) {
		name, fv := join(path, c.name), v.FieldByIndex(c.index)
		live := live || c.live
		if isSection(fv.Type()) {
			if c.name != "" {
				fs.sections[name] = true
			}
			fs.walk(fv, name, live)
			continue
		}
		f := field{name: name, doc: c.doc, secret: c.secret || fv.Type() == secretType, live: live, value: fv}
		if _, twice := fs.byName[name]; twice {
			panic("config: two fields are called " + name)
		}
		fs.byName[name] = f
		fs.leaves = append(fs.leaves, f)
	}
}

func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(textType)
}

type child struct {
	name   string // "" where the fields are the parent's
	index  []int
	doc    string
	secret bool
	live   bool
}

// children lists a struct's fields that take part: exported, not tagged "-", named by tag or else in lower case.
func children(t reflect.Type) []child {
	if !isSection(t) {
		return nil
	}
	var out []child
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("koanf"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" && !f.Anonymous && !strings.Contains(opts, "squash") {
			name = strings.ToLower(f.Name)
		}
		out = append(out, child{name: name, index: f.Index, doc: f.Tag.Get("doc"), secret: f.Tag.Get("secret") == "true", live: f.Tag.Get("live") == "true"})
	}
	return out
}

// Nearest finds the candidate that key was most likely meant to be: the same last part elsewhere, or few letters off; or "".
func Nearest(key string, candidates []string) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	if i := slices.IndexFunc(candidates, func(c string) bool { return strings.HasSuffix(c, "."+last) }); i >= 0 {
		return candidates[i]
	}
	best, bestDistance := "", max(2, len(key)/4)+1
	for _, c := range candidates {
		if d := levenshtein.Distance(key, c, nil); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}
