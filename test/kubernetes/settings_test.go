package kubernetes

import (
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gateway "calotype/gateway/app"
	"calotype/kit/config"
	"calotype/kit/fault"
	greeter "calotype/services/greeter/app"
	manager "calotype/services/image/app"
	worker "calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
	"calotype/test/servers"
)

// load fills a component's own settings from variables, as it does itself when it starts.
var load = map[string]func(config.Sources) error{
	"gateway":       loads(gateway.DefaultConfig),
	"greeter":       loads(greeter.DefaultConfig),
	"image-manager": loads(manager.DefaultConfig),
	"image-worker":  loads(worker.DefaultConfig),
	"storage":       loads(storage.DefaultConfig),
}

func loads[C any](defaults func() C) func(config.Sources) error {
	return func(from config.Sources) error {
		cfg := defaults()
		return config.Load(&cfg, from)
	}
}

// TestSettings gives every component the variables that the chart gives it. What it does not know, or would not take, keeps it from starting.
func TestSettings(t *testing.T) {
	h := newHelm(t)
	edge := edgeSettings(t)
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			for _, f := range misconfigured(t, h.template(t, args...), edge) {
				t.Error(f)
			}
		})
	}
}

func misconfigured(t *testing.T, rendered []byte, edge []string) []string {
	t.Helper()
	r := &release{t: t, all: parse(t, rendered), names: map[string]manifest{}}
	for _, m := range r.all {
		r.names[m.String()] = m
		if m.Kind == "Deployment" {
			r.workloads = append(r.workloads, workloadOf{m, as[workload](t, m)})
		}
	}
	authority := servers.NewAuthority(t).Issue(t.TempDir(), 2).CA
	for _, w := range r.workloads {
		env := calotypes(t, r.environment(w), authority)
		load, ok := load[w.labels()["app.kubernetes.io/component"]]
		if !ok {
			r.unknown(w.manifest, env, edge)
			continue
		}
		err := load(config.Sources{EnvPrefix: "CALOTYPE_", Env: env})
		if wrong := (*fault.Error)(nil); errors.As(err, &wrong) && len(wrong.Fields) > 0 {
			for _, f := range wrong.Fields {
				r.fault(w.manifest, "%s: %s", f.Path, f.Message)
			}
		} else if err != nil {
			r.fault(w.manifest, "%v", err)
		}
	}
	return r.faults
}

// calotypes are the variables that are settings; the files of secrets and of authorities become such that are here.
func calotypes(t *testing.T, env map[string]string, authority string) []string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	var all []string
	for name, value := range env {
		if !strings.HasPrefix(name, "CALOTYPE_") {
			continue
		}
		if strings.HasPrefix(value, "/secrets/") {
			value = secret
		}
		all = append(all, name+"="+strings.ReplaceAll(value, "/trust/ca.crt", authority))
	}
	slices.Sort(all)
	return all
}

// unknown tells of the edge's variables which are no settings of its; how it judges their values, its own tests show.
func (r *release) unknown(m manifest, env, edge []string) {
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if !slices.Contains(edge, strings.TrimSuffix(name, "_FILE")) && !slices.Contains(edge, name) {
			r.fault(m, "%s is no setting", name)
		}
	}
}

// edgeSettings are the variables that cmd/edge knows, which nobody may import: it lists its flags, each named after a setting, but for secrets.
func edgeSettings(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "run", "calotype/cmd/edge", "--help")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	known := []string{"CALOTYPE_REGISTRY__TOKEN", "CALOTYPE_REGISTRY__PASSWORD"}
	for _, flag := range regexp.MustCompile(`(?m)^\s+--([a-z0-9_.]+)`).FindAllStringSubmatch(string(out), -1) {
		known = append(known, config.EnvName("CALOTYPE_", flag[1]))
	}
	if len(known) < 40 {
		t.Fatalf("%d settings:\n%s", len(known), out)
	}
	return known
}
