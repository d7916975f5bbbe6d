package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func at(file string, n *yaml.Node) string {
	return fmt.Sprintf("%s:%d", file, n.Line)
}

func (l *loader) file(path string) map[string]any {
	layer := map[string]any{}
	if path == "" {
		return layer
	}
	b, err := os.ReadFile(path)
	if err != nil {
		l.fault(path, "cannot be read: %v", err)
		return layer
	}
	return l.document(path, b)
}

// document reads the text of a file, or of what is written like one.
func (l *loader) document(path string, b []byte) map[string]any {
	layer := map[string]any{}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			l.fault(path, "is not YAML: %v", err)
		}
		return layer
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		l.fault(path, "holds more than one document")
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.MappingNode:
		l.section(layer, path, root, "")
	case root.ShortTag() != "!!null":
		l.fault(at(path, root), "the file must hold keys and values")
	}
	return layer
}

// section sorts the keys of one mapping into settings, deeper sections and mistakes.
func (l *loader) section(layer map[string]any, file string, n *yaml.Node, prefix string) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name, where := join(prefix, key.Value), at(file, key)
		if line, twice := seen[key.Value]; twice {
			l.fault(where+": "+name, "is given twice, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		field, setting := l.fields.byName[name]
		secret, isFile := strings.CutSuffix(name, "_file")
		switch {
		case l.overlay && (setting && !field.live || isFile && l.fields.byName[secret].secret):
			l.fault(where+": "+name, "cannot change while a process runs: it is given at the start")
		case setting:
			if _, twice := layer[name]; twice {
				l.fault(where+": "+name, "is given both itself and as a file")
				continue
			}
			l.keep(layer, name, given{where: where, node: value, file: file})
		case l.fields.sections[name] && value.Kind == yaml.MappingNode:
			l.section(layer, file, value, name)
		case l.fields.sections[name]:
			if value.ShortTag() != "!!null" {
				l.fault(where+": "+name, "has keys and values of its own")
			}
		case isFile && l.fields.byName[secret].secret:
			if _, twice := layer[secret]; twice {
				l.fault(where+": "+secret, "is given both itself and as a file")
				continue
			}
			l.secretFile(layer, secret, value.Value, where)
		case l.overlay && l.partial && prefix == "":
			// Another process's section.
		default:
			l.unknown(where, "key", name, append(l.fields.names(l.overlay), slices.Sorted(maps.Keys(l.fields.sections))...))
		}
	}
}
