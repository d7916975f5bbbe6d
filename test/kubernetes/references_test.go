package kubernetes

import (
	"fmt"
	"slices"
	"strings"
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

func (r *release) service(m manifest) {
	s := as[service](r.t, m)
	found := r.selected(selector{MatchLabels: s.Spec.Selector})
	if len(found) == 0 || len(s.Spec.Selector) == 0 {
		r.fault(m, "its selector takes no Pods")
	}
	for _, w := range found {
		for _, p := range s.Spec.Ports {
			if number, ok := w.port(p.TargetPort); !ok {
				r.fault(m, "%v has no port %s", w, p.TargetPort)
			} else if number != p.Port {
				r.fault(m, "port %d leads to %d of %v", p.Port, number, w)
			}
		}
	}
	if len(s.Spec.Ports) == 0 {
		r.fault(m, "it has no ports")
	}
}

// least is how many Pods a workload has at least.
func (r *release) least(w workloadOf) int {
	for _, m := range r.all {
		if m.Kind == "HorizontalPodAutoscaler" || m.Kind == "ScaledObject" {
			if s := as[scaler](r.t, m).Spec; s.ScaleTargetRef.Kind == w.Kind && s.ScaleTargetRef.Name == w.Metadata.Name {
				return max(s.MinReplicas, s.MinReplicaCount)
			}
		}
	}
	if w.workload.Spec.Replicas == nil {
		return 1
	}
	return *w.workload.Spec.Replicas
}

func (r *release) budget(m manifest) {
	b := as[budget](r.t, m)
	found := r.selected(b.Spec.Selector)
	if len(found) != 1 {
		r.fault(m, "its selector takes the Pods of %d workloads", len(found))
		return
	}
	least := r.least(found[0])
	if n := b.Spec.MinAvailable; n != nil && *n >= least {
		r.fault(m, "minAvailable %d of %d: no node can be drained", *n, least)
	}
	if n := b.Spec.MaxUnavailable; n != nil && (*n < 1 || *n >= least) {
		r.fault(m, "maxUnavailable %d of %d", *n, least)
	}
	if (b.Spec.MinAvailable == nil) == (b.Spec.MaxUnavailable == nil) {
		r.fault(m, "it needs one of minAvailable and maxUnavailable")
	}
}

func (r *release) scaler(m manifest) {
	s := as[scaler](r.t, m)
	target := s.Spec.ScaleTargetRef.Kind + " " + s.Spec.ScaleTargetRef.Name
	i := slices.IndexFunc(r.workloads, func(w workloadOf) bool { return w.String() == target })
	if i < 0 {
		r.fault(m, "there is no %s", target)
		return
	}
	w := r.workloads[i]
	if w.workload.Spec.Replicas != nil {
		r.fault(m, "%v says replicas, so that every upgrade undoes what was scaled", w)
	}
	if least, most := max(s.Spec.MinReplicas, s.Spec.MinReplicaCount), max(s.Spec.MaxReplicas, s.Spec.MaxReplicaCount); least < 1 || least > most {
		r.fault(m, "from %d to %d", least, most)
	}
	if len(s.Spec.Metrics)+len(s.Spec.Triggers) == 0 {
		r.fault(m, "it follows nothing")
	}
	for _, metric := range s.Spec.Metrics {
		for _, c := range w.pod().Containers {
			if metric.Type == "Resource" && c.Resources.Requests[metric.Resource.Name] == "" {
				r.fault(m, "%v requests no %s, of which this is a share", w, metric.Resource.Name)
			}
		}
	}
	for _, trigger := range s.Spec.Triggers {
		if name := trigger.AuthenticationRef.Name; name != "" {
			r.there(m, "TriggerAuthentication "+name)
		}
	}
}

func (r *release) ingress(m manifest) {
	for _, rule := range as[ingress](r.t, m).Spec.Rules {
		for _, path := range rule.HTTP.Paths {
			backend := path.Backend.Service
			if !r.there(m, "Service "+backend.Name) {
				continue
			}
			ports := as[service](r.t, r.names["Service "+backend.Name]).Spec.Ports
			if !slices.ContainsFunc(ports, func(p servicePort) bool { return p.Name == backend.Port.Name }) {
				r.fault(m, "Service %s has no port %s", backend.Name, backend.Port.Name)
			}
		}
	}
}

// serviceMonitor must find each of Calotype's workloads by one Service.
func (r *release) serviceMonitor(m manifest) {
	s := as[serviceMonitor](r.t, m)
	scraped := map[string]int{}
	for _, o := range r.all {
		if o.Kind != "Service" || !s.Spec.Selector.takes(o.Metadata.Labels) {
			continue
		}
		svc := as[service](r.t, o)
		for _, e := range s.Spec.Endpoints {
			if slices.ContainsFunc(svc.Spec.Ports, func(p servicePort) bool { return p.Name == e.Port }) {
				for _, w := range r.selected(selector{MatchLabels: svc.Spec.Selector}) {
					scraped[w.Metadata.Name]++
				}
			}
		}
	}
	for _, w := range r.workloads {
		if w.Kind == "Deployment" && scraped[w.Metadata.Name] != 1 {
			r.fault(m, "%v is scraped %d times", w, scraped[w.Metadata.Name])
		}
	}
}

func TestReferences(t *testing.T) {
	h := newHelm(t)
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			for _, f := range examine(t, h.template(t, args...)) {
				t.Error(f)
			}
		})
	}
}

// replaced is the rendered text with all of from in it replaced.
func replaced(t *testing.T, rendered []byte, from, to string) []byte {
	t.Helper()
	if !strings.Contains(string(rendered), from) {
		t.Fatalf("nothing to replace: %q", from)
	}
	return []byte(strings.ReplaceAll(string(rendered), from, to))
}
