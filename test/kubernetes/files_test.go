package kubernetes

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// mounts also checks that a file which a variable names is there.
func (r *release) mounts(w workloadOf, c container) {
	files := map[string]bool{}
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(w.pod().Volumes, func(v volume) bool { return v.Name == m.Name })
		claimed := slices.ContainsFunc(w.workload.Spec.VolumeClaimTemplates, func(c claim) bool { return c.Metadata.Name == m.Name })
		if i < 0 && !claimed {
			r.fault(w.manifest, "there is no volume %s to be mounted", m.Name)
		}
		if i < 0 {
			continue
		}
		switch v := w.pod().Volumes[i]; {
		case v.ConfigMap != nil && r.there(w.manifest, "ConfigMap "+v.ConfigMap.Name):
			name := "ConfigMap " + v.ConfigMap.Name
			for _, key := range slices.Concat(outside[name], r.keys(name)) {
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
		if !slices.ContainsFunc(c.VolumeMounts, func(m mount) bool { return m.Name == v.Name }) {
			r.fault(w.manifest, "volume %s is mounted nowhere", v.Name)
		}
	}
	for name, value := range r.environment(w) {
		if strings.HasSuffix(name, "_FILE") && value != "" && !files[value] {
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
