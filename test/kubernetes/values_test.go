package kubernetes

import (
	"strings"
	"testing"
)

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
		"nobody leads":           {append([]string{"--set", "registry.kind=dns"}, backends...), []string{"leader.kind"}},
		"leaders kept nowhere":   {append([]string{"--set", "registry.kind=dns,settings.leader\\.kind=consul"}, backends[2:]...), []string{"registry.addresses"}},
		"unknown":                {append([]string{"--set", "replicas=3"}, backends...), []string{"replicas"}},
		"unknown component":      {append([]string{"--set", "components.worker.replicas=3"}, backends...), []string{"worker"}},
		"text for a number":      {append([]string{"--set-string", "components.gateway.replicas=three"}, backends...), []string{"replicas"}},
		"a password in the URL":  {append(backends[:len(backends):len(backends)], "--set", "rabbitmq.urls={amqp://me:secret@rabbitmq/}"), []string{"rabbitmq"}},
		"a size without unit":    {append([]string{"--set-string", "uploadLimit=100000000"}, backends...), []string{"uploadLimit"}},
		"a setting's variable":   {append([]string{"--set", "settings.CALOTYPE_LOG__LEVEL=debug"}, backends...), []string{"CALOTYPE_LOG__LEVEL"}},
		"unknown scaling":        {append([]string{"--set", "workers.scaling=magic"}, backends...), []string{"scaling"}},
		"scraped in a hurry":     {append([]string{"--set", "serviceMonitor.interval=3s"}, backends...), []string{"interval"}},
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
