package kubernetes

import (
	"slices"
	"time"
)

// workload checks one by itself: its selectors, names, Pod Security's restricted profile, probes, and that leaving takes less than it may.
func (r *release) workload(w workloadOf) {
	p := w.pod()
	if !w.workload.Spec.Selector.takes(w.labels()) || len(w.workload.Spec.Selector.MatchLabels) == 0 {
		r.fault(w.manifest, "its selector does not take its own Pods")
	}
	if found := r.selected(w.workload.Spec.Selector); len(found) > 1 {
		r.fault(w.manifest, "its selector takes the Pods of %d workloads", len(found))
	}
	for _, s := range p.TopologySpreadConstraints {
		if !s.LabelSelector.takes(w.labels()) {
			r.fault(w.manifest, "it is spread by Pods that are not its own")
		}
	}
	if name := w.workload.Spec.ServiceName; name != "" {
		r.there(w.manifest, "Service "+name)
	}
	r.there(w.manifest, "ServiceAccount "+p.ServiceAccountName)
	if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
		r.fault(w.manifest, "it is given a token")
	}
	if p.EnableServiceLinks == nil || *p.EnableServiceLinks {
		r.fault(w.manifest, "variables of Services called calotype would be taken for settings")
	}
	if !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser == 0 || p.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
		r.fault(w.manifest, "it is not restricted: root, or any system call")
	}
	if len(p.Containers) != 1 {
		r.fault(w.manifest, "%d containers", len(p.Containers))
		return
	}
	c := p.Containers[0]
	if s := c.SecurityContext; s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		r.fault(w.manifest, "it is not restricted: privileges, a root that can be written to, or capabilities")
	}
	if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
		r.fault(w.manifest, "it does not say what it needs, and at most takes")
	}
	r.probes(w, c)
	r.mounts(w, c)
	if w.Kind == "Deployment" {
		r.leaving(w, c)
	}
}

func (r *release) probes(w workloadOf, c container) {
	for name, p := range map[string]*probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
		if p == nil || (p.HTTPGet == nil) == (p.TCPSocket == nil) {
			r.fault(w.manifest, "no %s probe", name)
			continue
		}
		var port string
		if p.HTTPGet != nil {
			port = p.HTTPGet.Port
			if want := map[bool]string{true: "/readyz", false: "/healthz"}[name == "readiness"]; p.HTTPGet.Path != want {
				r.fault(w.manifest, "the %s probe asks %s", name, p.HTTPGet.Path)
			}
		} else {
			port = p.TCPSocket.Port
		}
		if _, ok := w.port(port); !ok {
			r.fault(w.manifest, "the %s probe asks port %s, which is none of its own", name, port)
		}
		if p.InitialDelaySeconds != 5 || p.PeriodSeconds != 10 || p.TimeoutSeconds != 3 {
			r.fault(w.manifest, "the %s probe has figures of its own", name)
		}
	}
}

// leaving checks that a Pod is not killed while it finishes what it has.
func (r *release) leaving(w workloadOf, c container) {
	env := r.environment(w)
	wait, err := time.ParseDuration(env["CALOTYPE_DRAIN__WAIT"])
	timeout, err2 := time.ParseDuration(env["CALOTYPE_DRAIN__TIMEOUT"])
	stop := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	grace := time.Duration(w.pod().TerminationGracePeriodSeconds) * time.Second
	if err != nil || err2 != nil {
		r.fault(w.manifest, "drain: %v, %v", err, err2)
	}
	if stop < 10*time.Second {
		r.fault(w.manifest, "it waits %v before it leaves, too short for the news to travel", stop)
	}
	if grace <= stop+wait+timeout {
		r.fault(w.manifest, "it is killed after %v, though leaving may take %v", grace, stop+wait+timeout)
	}
}
