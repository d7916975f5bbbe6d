package kubernetes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// customSchemas writes a JSON schema for the kind of each of these CustomResourceDefinitions, which also allows no other fields. What the
// definition leaves to Kubernetes, which is metadata, is of Kubernetes' own definitions.
func customSchemas(t *testing.T, folder string, kubernetes map[string]schema, definitions ...string) {
	t.Helper()
	for _, path := range definitions {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						OpenAPIV3Schema schema `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		group, _, _ := strings.Cut(crd.Spec.Group, ".")
		for _, v := range crd.Spec.Versions {
			whole := v.Schema.OpenAPIV3Schema
			closed(whole)
			properties, ok := whole["properties"].(schema)
			if !ok || properties["spec"] == nil {
				t.Fatalf("%s says nothing of %s", path, v.Name)
			}
			properties["metadata"] = schema{"$ref": "#/definitions/" + objectMeta}
			whole["definitions"] = closure(kubernetes, objectMeta)
			whole["required"] = []string{"apiVersion", "kind", "metadata", "spec"}
			encoded, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			file := strings.ToLower(crd.Spec.Names.Kind) + "-" + group + "-" + v.Name + ".json"
			if err := os.WriteFile(filepath.Join(folder, file), encoded, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// closed allows no field, at any depth, that is not named.
func closed(x any) {
	switch x := x.(type) {
	case schema:
		if x["properties"] != nil && x["additionalProperties"] == nil && x["x-kubernetes-preserve-unknown-fields"] != true {
			x["additionalProperties"] = false
		}
		for _, part := range x {
			closed(part)
		}
	case []any:
		for _, part := range x {
			closed(part)
		}
	}
}
