package openapi_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"calotype/gateway/internal/openapi"
)

func document(t *testing.T) *openapi.Document {
	t.Helper()
	d, err := openapi.New("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheSameBytesEveryTime(t *testing.T) {
	first := document(t)
	for range 5 {
		if !bytes.Equal(first.JSON, document(t).JSON) {
			t.Fatal("two documents of one version differ")
		}
	}
}

func TestBothHalvesAreThereAndEveryReferenceLeadsSomewhere(t *testing.T) {
	var doc map[string]any
	raw := document(t).JSON
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	paths := doc["paths"].(map[string]any)
	images := paths["/v1/images"].(map[string]any)
	if images["get"] == nil || images["post"] == nil {
		t.Errorf("/v1/images lacks a method of one half: %v", images)
	}
	create := paths["/v1/jobs"].(map[string]any)["post"].(map[string]any)
	if r := create["responses"].(map[string]any); r["201"] == nil || r["200"] != nil || r["default"] == nil || create["requestBody"] == nil {
		t.Errorf("creating a job is described as %v", create)
	}
	for _, p := range []string{"/v1/jobs/{id}/events", "/v1/jobs/{id}:cancel", "/i/{options}/{file}", "/v1/greeter/hello"} {
		if paths[p] == nil {
			t.Errorf("no path %s", p)
		}
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	if schemas["storage.v1.Blob"] != nil {
		t.Error("schemas that no route leads to are in the document")
	}
	if bytes.Contains(raw, []byte("#/definitions/")) {
		t.Error("a reference of OpenAPI 2 is left")
	}
	refs(doc, func(ref string) {
		if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); ok && schemas[name] == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
}

func refs(v any, f func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if r, ok := v["$ref"].(string); ok {
			f(r)
		}
		for _, e := range v {
			refs(e, f)
		}
	case []any:
		for _, e := range v {
			refs(e, f)
		}
	}
}

func TestMethods(t *testing.T) {
	d := document(t)
	for path, want := range map[string][]string{
		"/v1/images":              {"GET", "HEAD", "OPTIONS", "POST"},
		"/v1/images/img_1":        {"DELETE", "GET", "HEAD", "OPTIONS"},
		"/v1/jobs/job_1:cancel":   {"OPTIONS", "POST"},
		"/v1/jobs/job_1:nonsense": nil,
		"/v1/jobs/job_1":          {"GET", "HEAD", "OPTIONS"},
		"/v1/images/":             nil,
		"/nothing":                nil,
	} {
		if got := d.Methods(path); !slices.Equal(got, want) {
			t.Errorf("Methods(%s) = %v, want %v", path, got, want)
		}
	}
}
