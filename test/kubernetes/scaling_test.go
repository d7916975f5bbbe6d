package kubernetes

import "slices"

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
