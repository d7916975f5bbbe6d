// Package openapi joins the generated and the hand-written half of the REST interface's description into the one document that is
// served, and knows from it which methods a path takes.
package openapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	source "calotype/proto/openapi"
)

const schemaRef = "#/components/schemas/"

// Document is the joined document.
type Document struct {
	// JSON is the document as it is served: the same bytes for the same version.
	JSON   []byte
	routes map[string][]route // by kind
}

// route is a path of the document, cut into segments.
type route struct {
	template string
	segments []string
	methods  []string
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
	return &Document{JSON: out, routes: routes(sub(doc, "paths"))}, nil
}

func routes(paths object) map[string][]route {
	all := map[string][]route{}
	for template, item := range paths {
		rt := route{template: template, segments: strings.Split(template, "/"), methods: []string{"OPTIONS"}}
		for m := range item.(object) {
			if rt.methods = append(rt.methods, strings.ToUpper(m)); m == "get" {
				rt.methods = append(rt.methods, "HEAD")
			}
		}
		slices.Sort(rt.methods)
		all[Kind(template)] = append(all[Kind(template)], rt)
	}
	return all
}

// Route gives the template that path fits, such as "/v1/images/{id}", or "".
func (d *Document) Route(path string) string {
	if rt := d.find(path); rt != nil {
		return rt.template
	}
	return ""
}

// Methods gives the methods that path takes, ordered, or none where the document does not know the path.
func (d *Document) Methods(path string) []string {
	if rt := d.find(path); rt != nil {
		return rt.methods
	}
	return nil
}

func (d *Document) find(path string) *route {
	var room [8]string
	segments := room[:0]
	for s := range strings.SplitSeq(path, "/") {
		segments = append(segments, s)
	}
	of := d.routes[Kind(path)]
	for i := range of {
		if of[i].matches(segments) {
			return &of[i]
		}
	}
	return nil
}

// Kind is what a path is of, such as jobs: its first segment after the version, which every template has in plain words.
func Kind(path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/v1"), "/")
	if i := strings.IndexAny(path, "/:"); i >= 0 {
		path = path[:i]
	}
	return path
}

// matches compares segment by segment; one in braces takes anything but a verb, which is told by a colon.
func (rt *route) matches(path []string) bool {
	if len(rt.segments) != len(path) {
		return false
	}
	for i, want := range rt.segments {
		if want == path[i] && !strings.HasPrefix(want, "{") {
			continue
		}
		name, verb, _ := strings.Cut(want, ":")
		value, said, _ := strings.Cut(path[i], ":")
		if verb != said || value == "" && name != "" || !strings.HasPrefix(name, "{") && name != value {
			return false
		}
	}
	return true
}

// merge puts from under into: what is in both and is no object stays as into has it, and so do an operation's responses, of which
// the generated half always has a 200.
func merge(into, from object) {
	for k, v := range from {
		have, ok := into[k]
		if !ok {
			into[k] = v
			continue
		}
		if k == "responses" {
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
