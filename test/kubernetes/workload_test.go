package kubernetes

import (
	"path"
	"regexp"
	"slices"
	"strings"
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

// mounts also checks that a file which a variable names is there.
func (r *release) mounts(w workloadOf, c container) {
	files := map[string]bool{}
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(w.pod().Volumes, func(v volume) bool { return v.Name == m.Name })
		claimed := slices.ContainsFunc(w.workload.Spec.VolumeClaimTemplates, func(v struct{ Metadata metadata }) bool { return v.Metadata.Name == m.Name })
		if i < 0 && !claimed {
			r.fault(w.manifest, "there is no volume %s to be mounted", m.Name)
		}
		if i < 0 {
			continue
		}
		switch v := w.pod().Volumes[i]; {
		case v.ConfigMap != nil && r.there(w.manifest, "ConfigMap "+v.ConfigMap.Name):
			name := "ConfigMap " + v.ConfigMap.Name
			for _, key := range append(outside[name], r.keys(name)...) {
				files[path.Join(m.MountPath, key)] = true
			}
		case v.Secret != nil && r.there(w.manifest, "Secret "+v.Secret.SecretName):
			name := "Secret " + v.Secret.SecretName
			for _, item := range v.Secret.Items {
				r.key(w.manifest, name, item.Key)
				files[path.Join(m.MountPath, item.Path)] = true
			}
			if len(v.Secret.Items) == 0 {
				for _, key := range outside[name] {
					files[path.Join(m.MountPath, key)] = true
				}
			}
		}
	}
	for _, v := range w.pod().Volumes {
		if !slices.ContainsFunc(c.VolumeMounts, func(m struct {
			Name      string
			MountPath string `yaml:"mountPath"`
		}) bool {
			return m.Name == v.Name
		}) {
			r.fault(w.manifest, "volume %s is mounted nowhere", v.Name)
		}
	}
	for name, value := range r.environment(w) {
		if (strings.HasSuffix(name, "_FILE") || strings.HasSuffix(name, "_KEY_FILE")) && value != "" && !files[value] {
			r.fault(w.manifest, "%s is %s, which is no file of a volume", name, value)
		}
	}
}

func (r *release) keys(name string) []string {
	var keys []string
	if o, ours := r.names[name]; ours {
		for k := range as[configMap](r.t, o).Data {
			keys = append(keys, k)
		}
	}
	return keys
}

var reference = regexp.MustCompile(`\$\((\w+)\)`)

// environment is what the process finds; a reference to a variable that is defined later stays as it is, so that it is told.
func (r *release) environment(w workloadOf) map[string]string {
	env := map[string]string{}
	for _, c := range w.pod().Containers {
		for _, from := range c.EnvFrom {
			if !r.there(w.manifest, "ConfigMap "+from.ConfigMapRef.Name) {
				continue
			}
			for k, v := range as[configMap](r.t, r.names["ConfigMap "+from.ConfigMapRef.Name]).Data {
				env[k] = v
			}
		}
		for _, e := range c.Env {
			env[e.Name] = reference.ReplaceAllStringFunc(e.Value, func(s string) string {
				name := s[2 : len(s)-1]
				value, ok := env[name]
				if !ok {
					r.fault(w.manifest, "%s refers to %s, which is not there before it", e.Name, name)
				}
				return value
			})
			if e.Name == "POD_IP" {
				env[e.Name] = "10.1.2.3"
			}
		}
	}
	return env
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
