package kubernetes

import (
	"slices"
	"testing"
)

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
	for _, e := range s.Spec.Endpoints {
		if !e.HonorLabels {
			r.fault(m, "the metrics' own service and endpoint become exported_service and exported_endpoint, which no rule knows")
		}
	}
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
