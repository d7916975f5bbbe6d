package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"calotype/test/servers"
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

// jsonSchemas writes, for every kind that kubeconform may meet, a JSON schema that allows no other fields, made of Kubernetes' OpenAPI document.
func jsonSchemas(t *testing.T, openAPI string) string {
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

// conformity gives a kubeconform that knows Kubernetes' own kinds, and those that testdata describes: of KEDA and of Prometheus' operator, as far as the chart
// uses them.
func conformity(t *testing.T) func(rendered []byte) (string, error) {
	t.Helper()
	tools := servers.ToolFolder(t, "kubeconform")
	schemas := jsonSchemas(t, filepath.Join(servers.ToolFolder(t, "kubernetes-openapi"), "kubernetes-openapi"))
	const name = "{{.ResourceKind}}{{.KindSuffix}}.json"
	return func(rendered []byte) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(tools, "kubeconform"), "-strict", "-summary", "-kubernetes-version", kubeVersion,
			"-schema-location", filepath.Join(schemas, name), "-schema-location", filepath.Join("testdata", name), "-")
		cmd.Stdin = bytes.NewReader(rendered)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

func TestConformity(t *testing.T) {
	h, conforms := newHelm(t), conformity(t)
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			rendered := h.template(t, args...)
			out, err := conforms(rendered)
			if want := fmt.Sprintf("%d resource", len(parse(t, rendered))); err != nil || !strings.Contains(out, want) || !strings.Contains(out, "Skipped: 0") {
				t.Errorf("%v, not %s:\n%s", err, want, out)
			}
		})
	}
	ha := h.template(t, variants["ha"]...)
	for name, mistake := range map[string]struct{ from, to, want string }{
		"a field of no such name":       {"terminationGracePeriodSeconds:", "terminationGraceSeconds:", "terminationGraceSeconds"},
		"a field that is required":      {"containerPort: 9100", "hostPort: 9100", "containerPort"},
		"text for a number":             {"minReplicas: 3", "minReplicas: three", "minReplicas"},
		"a number for text":             {"path: /healthz", "path: 1", "path"},
		"a value that is none":          {"whenUnsatisfiable: DoNotSchedule", "whenUnsatisfiable: Never", "whenUnsatisfiable"},
		"no quantity":                   {"cpu: 200m", "cpu: 200mm", "cpu"},
		"a kind nobody knows":           {"kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "could not find schema"},
		"KEDA: a field of no such name": {"maxReplicaCount:", "maximumReplicas:", "maximumReplicas"},
		"KEDA: a number for text":       {`value: "20"`, "value: 20", "value"},
		"a monitor without endpoints":   {"endpoints:", "targets:", "endpoints"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := conforms(replaced(t, ha, mistake.from, mistake.to))
			if err == nil || !strings.Contains(out, mistake.want) {
				t.Errorf("%v, and not a word of %q:\n%s", err, mistake.want, out)
			}
		})
	}
}

// TestForeignKinds keeps the list of kinds that are described by hand as short as it is.
func TestForeignKinds(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	if want := []string{"scaledobject-keda-v1alpha1.json", "servicemonitor-monitoring-v1.json", "triggerauthentication-keda-v1alpha1.json"}; !slices.Equal(files, want) {
		t.Errorf("%v", files)
	}
}
