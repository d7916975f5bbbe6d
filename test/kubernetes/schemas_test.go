package kubernetes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// schema is a part of an OpenAPI document, or of a JSON schema.
type schema = map[string]any

// values that Kubernetes' document speaks of in words only.
var enums = map[string][]string{
	"apps.v1.DeploymentStrategy.type":                              {"Recreate", "RollingUpdate"},
	"autoscaling.v2.HPAScalingPolicy.type":                         {"Pods", "Percent"},
	"autoscaling.v2.MetricSpec.type":                               {"ContainerResource", "External", "Object", "Pods", "Resource"},
	"autoscaling.v2.MetricTarget.type":                             {"AverageValue", "Utilization", "Value"},
	"core.v1.Container.imagePullPolicy":                            {"Always", "IfNotPresent", "Never"},
	"core.v1.PodSecurityContext.fsGroupChangePolicy":               {"Always", "OnRootMismatch"},
	"core.v1.SeccompProfile.type":                                  {"Localhost", "RuntimeDefault", "Unconfined"},
	"core.v1.ServicePort.protocol":                                 {"SCTP", "TCP", "UDP"},
	"core.v1.ServiceSpec.type":                                     {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"},
	"core.v1.TopologySpreadConstraint.whenUnsatisfiable":           {"DoNotSchedule", "ScheduleAnyway"},
	"networking.v1.HTTPIngressPath.pathType":                       {"Exact", "ImplementationSpecific", "Prefix"},
	"networking.v1.NetworkPolicyPort.protocol":                     {"SCTP", "TCP", "UDP"},
	"policy.v1.PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": {"AlwaysAllow", "IfHealthyBudget"},
}

// jsonSchemas writes, for every kind that kubeconform may meet, a JSON schema that allows no other fields, made of Kubernetes' OpenAPI document and
// of the definitions of custom resources.
func jsonSchemas(t *testing.T, openAPI string, custom ...string) string {
	t.Helper()
	b, err := os.ReadFile(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Definitions map[string]schema
	}
	if err := json.Unmarshal(b, &document); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, definition := range document.Definitions {
		strictly(name, definition)
	}
	written := 0
	for name, definition := range document.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 || !strings.HasPrefix(name, "io.k8s.api.") {
			continue
		}
		kind := kinds[0].(map[string]any)
		if definition["properties"].(schema)["metadata"] == nil {
			continue
		}
		whole := schema{
			"allOf":       []any{schema{"$ref": "#/definitions/" + name}, schema{"required": []string{"apiVersion", "kind", "metadata"}}},
			"definitions": closure(document.Definitions, name),
		}
		encoded, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		group, _, _ := strings.Cut(kind["group"].(string), ".")
		file := strings.ToLower(kind["kind"].(string)) + "-" + strings.TrimPrefix(group+"-", "-") + kind["version"].(string) + ".json"
		if err := os.WriteFile(filepath.Join(folder, file), encoded, 0o600); err != nil {
			t.Fatal(err)
		}
		written++
	}
	if written < 50 {
		t.Fatalf("%d kinds", written)
	}
	customSchemas(t, folder, document.Definitions, custom...)
	return folder
}

// strictly turns OpenAPI's words into JSON schema's, and allows no field that is not named.
func strictly(name string, definition schema) {
	short := strings.TrimPrefix(name, "io.k8s.api.")
	switch {
	case definition["format"] == "int-or-string":
		delete(definition, "type")
		definition["oneOf"] = []any{schema{"type": "string"}, schema{"type": "integer"}}
	case strings.HasSuffix(name, ".resource.Quantity"):
		delete(definition, "type")
		definition["oneOf"] = []any{schema{"type": "string", "pattern": `^[+-]?[0-9.]+([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$`}, schema{"type": "number"}}
	}
	properties, ok := definition["properties"].(schema)
	if !ok {
		return
	}
	if definition["x-kubernetes-preserve-unknown-fields"] != true {
		definition["additionalProperties"] = false
	}
	for field, property := range properties {
		if allowed, ok := enums[short+"."+field]; ok {
			property.(schema)["enum"] = allowed
		}
	}
}

// closure is a definition with all that it refers to.
func closure(definitions map[string]schema, name string) map[string]schema {
	found, open := map[string]schema{}, []string{name}
	for len(open) > 0 {
		name := open[0]
		open = open[1:]
		if _, there := found[name]; there {
			continue
		}
		found[name] = definitions[name]
		open = append(open, references(definitions[name])...)
	}
	return found
}

func references(x any) []string {
	var found []string
	switch x := x.(type) {
	case schema:
		for k, v := range x {
			if ref, ok := v.(string); ok && k == "$ref" {
				found = append(found, strings.TrimPrefix(ref, "#/definitions/"))
			} else {
				found = append(found, references(v)...)
			}
		}
	case []any:
		for _, v := range x {
			found = append(found, references(v)...)
		}
	}
	return found
}
