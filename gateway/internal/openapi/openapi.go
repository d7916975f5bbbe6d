// Package openapi joins the generated and the hand-written half of the REST interface's description into the one document that is
// served, and knows from it which methods a path takes.
package openapi

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	source "calotype/proto/openapi"
)

const schemaRef = "#/components/schemas/"

// Document is the joined document.
type Document struct {
	// JSON is the document as it is served: the same bytes for the same version.
	JSON  []byte
	paths object
}

// New joins the document for a version of the gateway.
func New(version string) (*Document, error) {
	var generated, doc object
	if err := json.Unmarshal(source.Generated, &generated); err != nil {
		return nil, fmt.Errorf("reading the generated OpenAPI document: %w", err)
	}
	if err := yaml.Unmarshal(source.Streams, &doc); err != nil {
		return nil, fmt.Errorf("reading the streaming routes' OpenAPI document: %w", err)
	}
	merge(doc, upgrade(generated))
	sub(doc, "info")["version"] = version
	for _, item := range sub(doc, "paths") {
		for _, op := range item.(object) {
			sub(op.(object), "responses")["default"] = object{"$ref": "#/components/responses/Problem"}
		}
	}
	prune(doc)
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	return &Document{JSON: out, paths: sub(doc, "paths")}, nil
}

// Methods gives the methods that path takes, ordered, or none where the document does not know the path.
func (d *Document) Methods(path string) []string {
	have := map[string]bool{}
	for template, item := range d.paths {
		if !matches(template, path) {
			continue
		}
		for m := range item.(object) {
			have[strings.ToUpper(m)] = true
		}
	}
	if have["GET"] {
		have["HEAD"] = true
	}
	if len(have) > 0 {
		have["OPTIONS"] = true
	}
	var out []string
	for m := range have {
		out = append(out, m)
	}
	sort.Strings(out)
	return out
}

// matches compares segment by segment; a segment in braces takes anything but a verb, which is told by a colon.
func matches(template, path string) bool {
	t, p := strings.Split(template, "/"), strings.Split(path, "/")
	if len(t) != len(p) {
		return false
	}
	for i := range t {
		name, tverb, _ := strings.Cut(t[i], ":")
		value, pverb, _ := strings.Cut(p[i], ":")
		if tverb != pverb || value == "" && name != "" {
			return false
		}
		if !strings.HasPrefix(name, "{") && name != value {
			return false
		}
	}
	return true
}

// merge puts from under into: what is in both and is no object stays as into has it.
func merge(into, from object) {
	for k, v := range from {
		have, ok := into[k]
		if !ok {
			into[k] = v
			continue
		}
		a, aok := have.(object)
		b, bok := v.(object)
		if aok && bok {
			merge(a, b)
		}
	}
}

// prune drops the schemas that no route leads to.
func prune(doc object) {
	schemas := sub(sub(doc, "components"), "schemas")
	reached := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok && strings.HasPrefix(ref, schemaRef) {
				name := strings.TrimPrefix(ref, schemaRef)
				if !reached[name] {
					reached[name] = true
					walk(schemas[name])
				}
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc["paths"])
	walk(sub(doc, "components")["responses"])
	for name := range schemas {
		if !reached[name] {
			delete(schemas, name)
		}
	}
}
