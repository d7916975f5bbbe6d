package kubernetes

import (
	"fmt"
	"slices"
)

// network checks the NetworkPolicies: that they take Pods which are there, that ports are theirs, that whoever may call is let in and the other
// way round, and that whatever is not allowed is denied.
func (r *release) network() {
	out, in := map[string]bool{}, map[string]bool{} // "who -> whom:port", of Pods of the release
	denied := map[string]bool{}
	policies := 0
	for _, m := range r.all {
		if m.Kind != "NetworkPolicy" {
			continue
		}
		policies++
		p := as[networkPolicy](r.t, m)
		found := r.selected(p.Spec.PodSelector)
		if len(found) == 0 {
			r.fault(m, "it takes no Pods")
		}
		for _, e := range p.Spec.PodSelector.MatchExpressions {
			r.values(m, p.Spec.PodSelector, e.Key, e.Values)
		}
		if len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 && len(p.Spec.PolicyTypes) == 2 {
			for _, w := range found {
				denied[w.String()] = true
			}
		}
		r.open(m, p.Spec.PolicyTypes, p.Spec.Ingress, "Ingress")
		r.open(m, p.Spec.PolicyTypes, p.Spec.Egress, "Egress")
		for _, w := range found {
			for _, rule := range p.Spec.Ingress {
				for _, port := range rule.Ports {
					if _, ok := w.port(fmt.Sprint(port.Port)); !ok {
						r.fault(m, "%v has no port %d", w, port.Port)
					}
					for _, other := range r.peers(m, rule.From) {
						in[fmt.Sprintf("%v -> %v:%d", other, w, port.Port)] = true
					}
				}
			}
			for _, rule := range p.Spec.Egress {
				for _, port := range rule.Ports {
					for _, other := range r.peers(m, rule.To) {
						if _, ok := other.port(fmt.Sprint(port.Port)); !ok {
							r.fault(m, "%v has no port %d", other, port.Port)
						}
						out[fmt.Sprintf("%v -> %v:%d", w, other, port.Port)] = true
					}
				}
			}
		}
	}
	if policies == 0 {
		return
	}
	for _, w := range r.workloads {
		if !denied[w.String()] {
			r.fault(w.manifest, "nothing is denied to it")
		}
	}
	for way := range out {
		if !in[way] {
			r.faults = append(r.faults, "NetworkPolicy: "+way+" may go out, and is not let in")
		}
	}
	for way := range in {
		if !out[way] {
			r.faults = append(r.faults, "NetworkPolicy: "+way+" would be let in, and may not go out")
		}
	}
	r.needed(out)
}

// open says of a direction that has rules that it is one of the policy's, and that every rule names its ports.
func (r *release) open(m manifest, types []string, rules []rule, direction string) {
	if len(rules) > 0 && !slices.Contains(types, direction) {
		r.fault(m, "it has rules of %s, which is none of its types", direction)
	}
	for _, rule := range rules {
		if len(rule.Ports) == 0 {
			r.fault(m, "it opens every port")
		}
	}
}

// values checks that each of the values of an expression is that of some Pod.
func (r *release) values(m manifest, s selector, key string, values []string) {
	for _, v := range values {
		if len(r.selected(selector{MatchLabels: map[string]string{key: v}})) == 0 {
			r.fault(m, "no Pod has %s %s", key, v)
		}
	}
}

// peers are the workloads of this release that a rule names.
func (r *release) peers(m manifest, peers []peer) []workloadOf {
	var found []workloadOf
	for _, p := range peers {
		if p.PodSelector == nil || p.NamespaceSelector != nil {
			continue
		}
		ours := r.selected(*p.PodSelector)
		if len(ours) == 0 {
			r.fault(m, "a peer is none of the Pods")
		}
		for _, e := range p.PodSelector.MatchExpressions {
			r.values(m, *p.PodSelector, e.Key, e.Values)
		}
		found = append(found, ours...)
	}
	return found
}

// needed checks the ways without which no photograph is processed.
func (r *release) needed(out map[string]bool) {
	for from, to := range map[string]string{
		"nginx": "gateway:8080", "gateway": "image-manager:9000", "image-manager": "storage:9000", "image-worker": "storage:9000",
	} {
		if way := "Deployment calotype-" + from + " -> Deployment calotype-" + to; !out[way] {
			r.faults = append(r.faults, "NetworkPolicy: "+way+" is not allowed")
		}
	}
}
