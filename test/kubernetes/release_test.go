package kubernetes

import (
	"fmt"
	"slices"
	"testing"
)

// outside is what a release refers to and does not bring: the Secret of deploy/secrets.sh, and what values files name.
var outside = map[string][]string{
	"Secret calotype-secrets": {
		"consul-token-nginx", "consul-token-gateway", "consul-token-greeter", "consul-token-image-manager", "consul-token-image-worker", "consul-token-storage",
		"rabbitmq-cookie", "rabbitmq-password", "postgres-password", "s3-access-key", "s3-secret-key", "signing-keys", "webhook-secrets",
		"etcd-password", // by hand
	},
	"Secret pictures":          {"tls.crt", "tls.key"},
	"Secret pictures-tls":      {"tls.crt", "tls.key"},
	"ConfigMap calotype-trust": {"ca.crt"},
}

// release is what was rendered, by kind, with all that is wrong in it.
type release struct {
	t         testing.TB
	all       []manifest
	names     map[string]manifest // by "Kind name"
	workloads []workloadOf
	faults    []string
}

type workloadOf struct {
	manifest
	workload
}

func (w workloadOf) labels() map[string]string { return w.Spec.Template.Metadata.Labels }
func (w workloadOf) pod() pod                  { return w.Spec.Template.Spec }

// examine tells every reference that leads nowhere, and everything else that Kubernetes takes and that then does not work.
func examine(t testing.TB, rendered []byte) []string {
	t.Helper()
	r := &release{t: t, all: parse(t, rendered), names: map[string]manifest{}}
	for _, m := range r.all {
		if _, twice := r.names[m.String()]; twice {
			r.fault(m, "there are two")
		}
		r.names[m.String()] = m
		if m.Kind == "Deployment" || m.Kind == "StatefulSet" {
			r.workloads = append(r.workloads, workloadOf{m, as[workload](t, m)})
		}
	}
	for _, w := range r.workloads {
		r.workload(w)
	}
	for _, m := range r.all {
		switch m.Kind {
		case "Service":
			r.service(m)
		case "PodDisruptionBudget":
			r.budget(m)
		case "HorizontalPodAutoscaler", "ScaledObject":
			r.scaler(m)
		case "TriggerAuthentication":
			for _, ref := range as[triggerAuthentication](t, m).Spec.SecretTargetRef {
				r.key(m, "Secret "+ref.Name, ref.Key)
			}
		case "Ingress":
			r.ingress(m)
		case "ServiceMonitor":
			r.serviceMonitor(m)
		}
	}
	r.network()
	slices.Sort(r.faults)
	return r.faults
}

func (r *release) fault(m manifest, format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf("%v: ", m)+fmt.Sprintf(format, args...))
}

// there tells whether an object exists, in the release or outside.
func (r *release) there(m manifest, name string) bool {
	_, ours := r.names[name]
	_, known := outside[name]
	if !ours && !known {
		r.fault(m, "there is no %s", name)
	}
	return ours || known
}

// key tells whether a Secret or ConfigMap has a key.
func (r *release) key(m manifest, name, key string) {
	if !r.there(m, name) {
		return
	}
	keys := outside[name]
	if o, ours := r.names[name]; ours {
		c := as[configMap](r.t, o)
		keys = nil
		for k := range c.Data {
			keys = append(keys, k)
		}
		for k := range c.StringData {
			keys = append(keys, k)
		}
	}
	if !slices.Contains(keys, key) {
		r.fault(m, "%s has no key %s", name, key)
	}
}

// selected are the workloads whose Pods a selector takes.
func (r *release) selected(s selector) []workloadOf {
	var found []workloadOf
	for _, w := range r.workloads {
		if s.takes(w.labels()) {
			found = append(found, w)
		}
	}
	return found
}

func (s selector) takes(labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if labels[k] != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		if e.Operator != "In" || !slices.Contains(e.Values, labels[e.Key]) {
			return false // the chart has no other
		}
	}
	return true
}

// port finds a port by its name or number among those that Pods have.
func (w workloadOf) port(nameOrNumber string) (int, bool) {
	for _, c := range w.pod().Containers {
		for _, p := range c.Ports {
			if p.Name == nameOrNumber || fmt.Sprint(p.ContainerPort) == nameOrNumber {
				return p.ContainerPort, true
			}
		}
	}
	return 0, false
}
