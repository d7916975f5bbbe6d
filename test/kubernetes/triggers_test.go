package kubernetes

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"calotype/test/servers"
)

// parameter is one that a scaler of KEDA's takes.
type parameter struct {
	from     []string // triggerMetadata, resolvedEnv (by the name and FromEnv), authParams
	required bool
}

// parameters are those of a scaler by their names, read out of its source: KEDA's resource definition leaves a trigger's metadata open.
func parameters(t *testing.T, trigger string) map[string]parameter {
	t.Helper()
	path := filepath.Join(servers.ToolFolder(t, "keda"), "keda", trigger+"_scaler.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]parameter{}
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		tag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		p, name := parameter{required: true}, ""
		for word := range strings.SplitSeq(reflect.StructTag(tag).Get("keda"), ",") {
			switch key, value, _ := strings.Cut(strings.TrimSpace(word), "="); key {
			case "name":
				name = strings.TrimSpace(value)
			case "order":
				p.from = strings.Split(strings.TrimSpace(value), ";")
			case "optional", "default":
				p.required = false
			}
		}
		if name != "" {
			all[name] = p
		}
		return true
	})
	if len(all) < 5 {
		t.Fatalf("%s has %d parameters", path, len(all))
	}
	return all
}

// misfired tells of the triggers of ScaledObjects what KEDA's scalers would not understand.
func misfired(t *testing.T, rendered []byte, scalers map[string]map[string]parameter) []string {
	t.Helper()
	r := &release{t: t, all: parse(t, rendered), names: map[string]manifest{}}
	for _, m := range r.all {
		r.names[m.String()] = m
	}
	for _, m := range r.all {
		if m.Kind != "ScaledObject" {
			continue
		}
		for _, trigger := range as[scaler](t, m).Spec.Triggers {
			known, ok := scalers[trigger.Type]
			if !ok {
				r.fault(m, "no scaler is called %s", trigger.Type)
				continue
			}
			given := map[string]bool{}
			take := func(name, from, as string) {
				if !slices.Contains(known[name].from, from) {
					r.fault(m, "%s does not take %s by its %s", trigger.Type, as, from)
				}
				given[name] = true
			}
			for key := range trigger.Metadata {
				if name, env := strings.CutSuffix(key, "FromEnv"); env {
					take(name, "resolvedEnv", key)
				} else {
					take(key, "triggerMetadata", key)
				}
			}
			if name := trigger.AuthenticationRef.Name; name != "" {
				for _, ref := range as[triggerAuthentication](t, r.names["TriggerAuthentication "+name]).Spec.SecretTargetRef {
					take(ref.Parameter, "authParams", ref.Parameter)
				}
			}
			for name, p := range known {
				if p.required && !given[name] {
					r.fault(m, "%s needs %s", trigger.Type, name)
				}
			}
			for _, key := range []string{"host", "serverAddress"} {
				at, err := url.Parse(trigger.Metadata[key])
				if trigger.Metadata[key] != "" && (err != nil || !strings.Contains(at.Hostname(), ".")) {
					r.fault(m, "KEDA does not find %s: it is of another namespace", trigger.Metadata[key])
				}
			}
			if mode := trigger.Metadata["mode"]; trigger.Type == "rabbitmq" && (mode != "QueueLength" || trigger.Metadata["value"] == "") {
				r.fault(m, "rabbitmq asked by AMQP knows a QueueLength with its value, not %q", mode)
			}
		}
	}
	slices.Sort(r.faults)
	return r.faults
}

// TestTriggers holds what workers are scaled by against KEDA's own scalers.
func TestTriggers(t *testing.T) {
	h := newHelm(t)
	scalers := map[string]map[string]parameter{"rabbitmq": parameters(t, "rabbitmq"), "prometheus": parameters(t, "prometheus")}
	found := 0
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			rendered := h.template(t, args...)
			found += strings.Count(string(rendered), "type: rabbitmq")
			for _, f := range misfired(t, rendered, scalers) {
				t.Error(f)
			}
		})
	}
	if found == 0 {
		t.Error("no variant has a trigger")
	}
	ha := h.template(t, variants["ha"]...)
	for name, mistake := range map[string]struct{ from, to, want string }{
		"a scaler of nobody":         {"type: rabbitmq", "type: rabbit", "no scaler is called rabbit"},
		"a field of no such name":    {"queueName:", "queue:", "rabbitmq does not take queue by its triggerMetadata"},
		"a field that is required":   {"queueName:", "vhostName:", "rabbitmq needs queueName"},
		"a host by no variable":      {"queueName:", "queueNameFromEnv:", "rabbitmq does not take queueNameFromEnv by its resolvedEnv"},
		"a host of this namespace":   {"serverAddress: \"http://prometheus-operated.monitoring.svc:9090\"", "serverAddress: http://prometheus:9090", "does not find http://prometheus:9090"},
		"no host":                    {"host: ", "operation: ", "rabbitmq needs host"},
		"a password for all to read": {"protocol: amqp", "password: amqp", "rabbitmq does not take password by its triggerMetadata"},
		"a secret that is not taken": {"parameter: username", "parameter: user", "rabbitmq does not take user by its authParams"},
		"another mode":               {"mode: QueueLength", "mode: Length", `not "Length"`},
		"no value":                   {"value: \"20\"", "activationValue: \"20\"", "QueueLength with its value"},
		"Prometheus without a bound": {"threshold:", "limit:", "prometheus needs threshold"},
	} {
		t.Run(name, func(t *testing.T) {
			if faults := misfired(t, replaced(t, ha, mistake.from, mistake.to), scalers); !strings.Contains(strings.Join(faults, "\n"), mistake.want) {
				t.Errorf("not a word of %q:\n%s", mistake.want, strings.Join(faults, "\n"))
			}
		})
	}
}
