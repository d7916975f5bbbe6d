// Package kubernetes checks deploy/kubernetes without a cluster: that Helm takes every values file, that what comes of it is what Kubernetes
// takes, that all names in it lead somewhere, and that Calotype knows the settings. Each check is seen to fail on a seeded mistake.
package kubernetes

import (
	"path/filepath"
	"strings"
	"testing"
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
	"values":                    backends,
	"small":                     {"-f", chart + "/values-small.yaml"},
	"ha":                        {"-f", chart + "/values-ha.yaml"},
	"external":                  {"-f", chart + "/values-external.yaml"},
	"etcd":                      append([]string{"--set", "registry.kind=etcd,registry.username=calotype"}, backends...),
	"dns":                       append([]string{"--set", "registry.kind=dns,components.image-manager.replicas=1,components.image-manager.autoscaling.enabled=false"}, backends[2:]...),
	"dns, with leaders in etcd": append([]string{"--set", "registry.kind=dns,settings.leader\\.kind=etcd"}, backends...),
	"small with all else": {"-f", chart + "/values-small.yaml", "--set", "workers.scaling=keda", "--set", "workers.prometheus=http://prometheus.monitoring:9090",
		"--set", "ingress.enabled=true,ingress.host=pictures.example.com,ingress.grpcHost=grpc.example.com,ingress.tlsSecretName=pictures",
		"--set", "serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus,logs.hints=true", "--set", "nginx.tls.secretName=pictures", "--set", "dev.storageClassName=fast",
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
