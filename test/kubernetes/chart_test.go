// Package kubernetes checks deploy/kubernetes without a cluster: that Helm takes every values file, that what comes of it is what Kubernetes
// takes, that all names in it lead somewhere, and that Calotype knows the settings. Each check is seen to fail on a seeded mistake.
package kubernetes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"calotype/test/servers"
)

// kubeVersion is what the chart is rendered for, and that of the schemas.
const kubeVersion = "1.36.3"

const chart = "../../deploy/kubernetes"

// backends are given where a values file names none.
var backends = []string{
	"--set", "registry.addresses={consul:8500}", "--set", "rabbitmq.urls={amqp://rabbitmq:5672/}", "--set", "postgres.url=postgres://calotype@postgres/calotype",
	"--set", "s3.endpoints={http://rgw:7480}", "--set", "jaeger.collector=http://jaeger:14268/api/traces",
}

// variants are what is rendered and checked: every values file, and what none of them turns on.
var variants = map[string][]string{
	"values":   backends,
	"small":    {"-f", chart + "/values-small.yaml"},
	"ha":       {"-f", chart + "/values-ha.yaml"},
	"external": {"-f", chart + "/values-external.yaml"},
	"etcd":     append([]string{"--set", "registry.kind=etcd,registry.username=calotype"}, backends...),
	"small with all else": {"-f", chart + "/values-small.yaml", "--set", "workers.scaling=keda", "--set", "workers.prometheus=http://prometheus:9090",
		"--set", "ingress.enabled=true,ingress.host=pictures.example.com,ingress.grpcHost=grpc.example.com,ingress.tlsSecretName=pictures",
		"--set", "serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus", "--set", "nginx.tls.secretName=pictures", "--set", "dev.storageClassName=fast",
		"--set", "secrets.create=true,secrets.data.rabbitmq-password=a,secrets.data.rabbitmq-cookie=b,secrets.data.postgres-password=c,secrets.data.s3-access-key=d," +
			"secrets.data.s3-secret-key=e,secrets.data.signing-keys=,secrets.data.webhook-secrets=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	"values without autoscaling, with all that a component can say": append([]string{
		"--set", "defaults.priorityClassName=high,defaults.podLabels.team=pictures,defaults.podAnnotations.note=x,defaults.nodeSelector.disk=ssd",
		"--set-json", `defaults.tolerations=[{"key":"pictures","operator":"Exists"}]`,
		"--set-json", `components.gateway={"autoscaling":{"enabled":false},"pdb":{"minAvailable":2},"volumes":[{"name":"more","emptyDir":{}}],"volumeMounts":[{"name":"more","mountPath":"/more"}]}`,
		"--set-json", `networkPolicy.monitoring=[{"namespaceSelector":{}}]`,
	}, backends...),
}

// TestEveryValuesFileIsAVariant keeps a new values file from being forgotten.
func TestEveryValuesFileIsAVariant(t *testing.T) {
	files, err := filepath.Glob(chart + "/values*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "values-"), ".yaml")
		if _, ok := variants[name]; !ok {
			t.Errorf("%s is not checked", file)
		}
	}
}

func TestLint(t *testing.T) {
	h := newHelm(t)
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			if out, err := h.run(t, append([]string{"lint", "--strict", "--quiet", "--kube-version", kubeVersion, chart}, args...)...); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestLintFails seeds mistakes into a copy of the chart.
func TestLintFails(t *testing.T) {
	h := newHelm(t)
	for name, mistake := range map[string]struct{ file, old, new, want string }{
		"no version":                {"Chart.yaml", "version: ", "edition: ", "version"},
		"a template does not end":   {"templates/servicemonitor.yaml", "{{- end }}", "", "unexpected EOF"},
		"what comes is no YAML":     {"templates/servicemonitor.yaml", "spec:", "spec: :", "mapping values"},
		"a helper nobody wrote":     {"templates/disruption.yaml", `"calotype.least"`, `"calotype.last"`, "calotype.last"},
		"a default the schema bars": {"values.yaml", "pullPolicy: IfNotPresent", "pullPolicy: Sometimes", "pullPolicy"},
	} {
		t.Run(name, func(t *testing.T) {
			mutated := copyChart(t, mistake.file, mistake.old, mistake.new)
			out, err := h.run(t, append([]string{"lint", "--strict", "--kube-version", kubeVersion, mutated, "--set", "serviceMonitor.enabled=true"}, backends...)...)
			if err == nil || !strings.Contains(out, mistake.want) {
				t.Errorf("%v, and not a word of %q:\n%s", err, mistake.want, out)
			}
		})
	}
}

// TestWrongValues has every mistake told, with the value's own name.
func TestWrongValues(t *testing.T) {
	h := newHelm(t)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"nothing given":          {nil, []string{"registry.addresses", "dev.consul.enabled", "rabbitmq.urls", "postgres.url", "s3.endpoints"}},
		"both given":             {append([]string{"--set", "dev.postgres.enabled=true"}, backends...), []string{"postgres.url and dev.postgres.enabled: only one"}},
		"dev Consul and tokens":  {[]string{"-f", chart + "/values-small.yaml", "--set", "registry.tokens=true"}, []string{"registry.tokens"}},
		"dev Consul and etcd":    {[]string{"-f", chart + "/values-small.yaml", "--set", "registry.kind=etcd"}, []string{"registry.kind"}},
		"unknown":                {append([]string{"--set", "replicas=3"}, backends...), []string{"replicas"}},
		"unknown component":      {append([]string{"--set", "components.worker.replicas=3"}, backends...), []string{"worker"}},
		"text for a number":      {append([]string{"--set-string", "components.gateway.replicas=three"}, backends...), []string{"replicas"}},
		"a password in the URL":  {append(backends[:len(backends):len(backends)], "--set", "rabbitmq.urls={amqp://me:secret@rabbitmq/}"), []string{"rabbitmq"}},
		"a size without unit":    {append([]string{"--set-string", "uploadLimit=100000000"}, backends...), []string{"uploadLimit"}},
		"a setting's variable":   {append([]string{"--set", "settings.CALOTYPE_LOG__LEVEL=debug"}, backends...), []string{"CALOTYPE_LOG__LEVEL"}},
		"unknown scaling":        {append([]string{"--set", "workers.scaling=magic"}, backends...), []string{"scaling"}},
		"min above max":          {append([]string{"--set", "workers.scaling=keda,workers.min=9,workers.max=3"}, backends...), []string{"min is above max"}},
		"no node can be drained": {append([]string{"--set", "components.greeter.pdb.minAvailable=3"}, backends...), []string{"components.greeter.pdb.minAvailable"}},
		"an Ingress for no host": {append([]string{"--set", "ingress.enabled=true"}, backends...), []string{"ingress.host"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := h.run(t, append([]string{"template", "calotype", chart, "--kube-version", kubeVersion}, c.args...)...)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("not a word of %q:\n%s", want, out)
				}
			}
		})
	}
}

// TestPodsRoll has Pods replaced when their own settings or secrets change, and none other.
func TestPodsRoll(t *testing.T) {
	h := newHelm(t)
	secrets := []string{"--set", "secrets.create=true,secrets.data.rabbitmq-password=a,secrets.data.postgres-password=b"}
	base := checksums(t, h.template(t, append(secrets, backends...)...))
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"a setting of one":      {[]string{"--set", `components.storage.settings.storage\.max_streams=99`}, []string{"storage"}},
		"a setting of all":      {[]string{"--set", `settings.log\.level=debug`}, []string{"gateway", "greeter", "image-manager", "image-worker", "nginx", "storage"}},
		"a secret of two":       {[]string{"--set", "secrets.data.rabbitmq-password=other"}, []string{"image-manager", "image-worker"}},
		"how many there may be": {[]string{"--set", "components.greeter.replicas=5"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			now := checksums(t, h.template(t, append(append(secrets[:2:2], backends...), c.args...)...))
			want := map[string]bool{}
			for _, w := range c.want {
				want[w] = true
			}
			for component, sum := range now {
				if changed := sum != base[component]; changed != want[component] {
					t.Errorf("%s rolls: %v", component, changed)
				}
			}
		})
	}
}

func checksums(t *testing.T, rendered []byte) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, m := range parse(t, rendered) {
		if m.Kind == "Deployment" {
			w := as[workload](t, m)
			sums[m.Metadata.Labels["app.kubernetes.io/component"]] = w.Spec.Template.Metadata.Annotations["checksum/settings"] + w.Spec.Template.Metadata.Annotations["checksum/secrets"]
		}
	}
	if len(sums) != 6 {
		t.Fatalf("%d Deployments", len(sums))
	}
	return sums
}

type helm struct {
	program string
	home    string
}

func newHelm(t *testing.T) *helm {
	t.Helper()
	return &helm{filepath.Join(servers.ToolFolder(t, "helm"), "helm"), t.TempDir()}
}

func (h *helm) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.program, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+h.home, "HELM_CONFIG_HOME="+h.home, "HELM_DATA_HOME="+h.home, "KUBECONFIG="+filepath.Join(h.home, "none"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// template renders the chart as a release called calotype.
func (h *helm) template(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := h.run(t, append([]string{"template", "calotype", chart, "--namespace", "calotype", "--kube-version", kubeVersion}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return []byte(out)
}

// copyChart copies the chart, with all of old replaced in one file.
func copyChart(t *testing.T, file, from, to string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, file)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(from)) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(from), []byte(to)), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}
