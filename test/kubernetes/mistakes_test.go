package kubernetes

import (
	"strings"
	"testing"
)

// mistake is made in what was rendered: all of from becomes to, after which one of the faults says want.
type mistake struct{ variant, from, to, want string }

// TestMistakes sees every check of examine fail.
func TestMistakes(t *testing.T) {
	h := newHelm(t)
	rendered := map[string][]byte{}
	for _, variant := range []string{"ha", "external", "small with all else"} {
		rendered[variant] = h.template(t, variants[variant]...)
	}
	const all = "small with all else"
	for name, m := range map[string]mistake{
		"a selector that takes no Pods":          {"ha", "  selector:\n    app.kubernetes.io/name: calotype\n", "  selector:\n    app.kubernetes.io/name: other\n", "Service calotype-gateway: its selector takes no Pods"},
		"a selector that takes not its own":      {"ha", "    matchLabels:\n      app.kubernetes.io/name: calotype\n", "    matchLabels:\n      app.kubernetes.io/name: other\n", "its selector does not take its own Pods"},
		"a selector that takes others' too":      {"ha", "\n      app.kubernetes.io/component: greeter\n", "\n", "its selector takes the Pods of 6 workloads"},
		"spread by the wrong Pods":               {"ha", "              app.kubernetes.io/component: storage\n", "              app.kubernetes.io/component: store\n", "spread by Pods that are not its own"},
		"a Service's port that no container has": {"ha", "targetPort: rpc", "targetPort: grpc", "has no port grpc"},
		"a container's port of another name":     {"ha", "{name: ops, containerPort: 9100}", "{name: metrics, containerPort: 9100}", "asks port ops, which is none of its own"},
		"a Service's port that leads to another": {"ha", "      port: 9000\n", "      port: 9001\n", "port 9001 leads to 9000"},
		"two objects of one name":                {"ha", "name: calotype-greeter\n", "name: calotype-gateway\n", "there are two"},
		"a ServiceAccount that is not there":     {"ha", "serviceAccountName: calotype-nginx", "serviceAccountName: nginx", "there is no ServiceAccount nginx"},
		"a token":                                {"ha", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "it is given a token"},
		"variables of Services":                  {"ha", "enableServiceLinks: false", "enableServiceLinks: true", "taken for settings"},
		"root":                                   {"ha", "runAsNonRoot: true", "runAsNonRoot: false", "not restricted: root"},
		"a root that can be written to":          {"ha", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "not restricted: privileges"},
		"capabilities":                           {"ha", "drop: [ALL]", "drop: [NET_RAW]", "not restricted: privileges"},
		"nothing requested":                      {"ha", "            requests:\n", "            claims:\n", "does not say what it needs"},
		"readiness by another path":              {"ha", "path: /readyz", "path: /healthz", "the readiness probe asks /healthz"},
		"no liveness":                            {"ha", "livenessProbe:", "otherProbe:", "no liveness probe"},
		"another period":                         {"ha", "periodSeconds: 10\n", "periodSeconds: 1\n", "figures of its own"},
		"killed while it leaves":                 {"ha", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "killed after 30s"},
		"no time for the news to travel":         {"ha", "seconds: 10", "seconds: 1", "too short for the news to travel"},
		"a drain that outlasts it":               {"ha", `CALOTYPE_DRAIN__TIMEOUT: "25s"`, `CALOTYPE_DRAIN__TIMEOUT: "2m"`, "killed after 45s"},
		"a ConfigMap that is not there":          {"ha", "configMapRef: {name: calotype-storage}", "configMapRef: {name: calotype-store}", "there is no ConfigMap calotype-store"},
		"a Secret that is not there":             {"ha", "secretName: calotype-secrets", "secretName: secrets", "there is no Secret secrets"},
		"a Secret's key that is not there":       {"ha", "{key: rabbitmq-password, path", "{key: rabbit-password, path", "Secret calotype-secrets has no key rabbit-password"},
		"a made Secret without a key":            {all, "\n  postgres-password: ", "\n  postgres: ", "Secret calotype-secrets has no key postgres-password"},
		"a file at another path":                 {"ha", "path: s3-access-key", "path: access-key", "/secrets/s3-access-key, which is no file of a volume"},
		"a certificate of nobody":                {all, "CALOTYPE_EDGE__TLS__CERT_FILE: \"/tls/tls.crt\"", "CALOTYPE_EDGE__TLS__CERT_FILE: \"/tls/server.crt\"", "/tls/server.crt, which is no file"},
		"an authority of nobody":                 {"external", "/trust/ca.crt\"", "/trust/ca.pem\"", "/trust/ca.pem, which is no file"},
		"a volume that is not there":             {"ha", "{name: tmp, mountPath: /tmp}", "{name: temporary, mountPath: /tmp}", "there is no volume temporary"},
		"a volume for nothing":                   {"ha", "{name: pictures, mountPath: /var/cache/calotype}", "{name: tmp, mountPath: /var/cache/calotype}", "volume pictures is mounted nowhere"},
		"an address of nobody":                   {"ha", "value: $(POD_IP)", "value: $(HOST_IP)", "refers to HOST_IP"},
		"a StatefulSet without its Service":      {all, "serviceName: calotype-dev-postgres", "serviceName: postgres", "there is no Service postgres"},
		"a budget without room":                  {"ha", "maxUnavailable: 1\n  unhealthy", "minAvailable: 3\n  unhealthy", "no node can be drained"},
		"a budget that allows all":               {"ha", "maxUnavailable: 1\n  unhealthy", "maxUnavailable: 9\n  unhealthy", "maxUnavailable 9 of 3"},
		"an autoscaler of nobody":                {"ha", "kind: Deployment, name: calotype-gateway}", "kind: Deployment, name: gateway}", "there is no Deployment gateway"},
		"an autoscaler of a share of nothing":    {"ha", "              cpu: 50m\n", "", "requests no cpu, of which this is a share"},
		"an autoscaler from more to less":        {"ha", "minReplicas: 3", "minReplicas: 30", "from 30 to 12"},
		"an upgrade that undoes what was scaled": {"ha", "  revisionHistoryLimit: 5", "  replicas: 3", "undoes what was scaled"},
		"KEDA without its authentication":        {"ha", "authenticationRef: {name: calotype-image-worker}", "authenticationRef: {name: broker}", "there is no TriggerAuthentication broker"},
		"KEDA with a key of nobody":              {"ha", "key: rabbitmq-password}", "key: password}", "Secret calotype-secrets has no key password"},
		"KEDA with a user of nobody":             {"ha", "key: username}", "key: user}", "Secret calotype-image-worker-broker has no key user"},
		"an Ingress to a Service of nobody":      {"ha", "service: {name: calotype-nginx,", "service: {name: nginx,", "there is no Service nginx"},
		"an Ingress to a port of nobody":         {"ha", "port: {name: grpc}", "port: {name: h2c}", "has no port h2c"},
		"a monitor that finds not all":           {"ha", "name: calotype-nginx-ops\n  labels:\n    app.kubernetes.io/name: calotype", "name: calotype-nginx-ops\n  labels:\n    app.kubernetes.io/name: other", "Deployment calotype-nginx is scraped 0 times"},
		"a monitor of a port of nobody":          {"ha", "- port: ops", "- port: metrics", "is scraped 0 times"},
		"a monitor that renames labels":          {"ha", "honorLabels: true", "honorLabels: false", "exported_service"},
		"a policy for nobody":                    {"ha", "values: [\"storage\"]", "values: [\"store\"]", "no Pod has app.kubernetes.io/component store"},
		"a policy for a port of nobody":          {"ha", "ports: [{port: 9000}]", "ports: [{port: 9001}]", "has no port 9001"},
		"a policy of another direction":          {"ha", "policyTypes: [Egress]", "policyTypes: [Ingress]", "which is none of its types"},
		"a policy that opens all ports":          {all, "ports: [{port: 5432}]", "ports: []", "it opens every port"},
		"a call that is not let in":              {"ha", "values: [gateway, image-manager, image-worker]}]\n      ports: [{port: 9000}]", "values: [gateway, image-manager]}]\n      ports: [{port: 9000}]", "may go out, and is not let in"},
		"deny, but not to all":                   {"ha", "podSelector: {matchLabels: {app.kubernetes.io/name: calotype, app.kubernetes.io/instance: calotype }}", "podSelector: {matchLabels: {app.kubernetes.io/component: gateway}}", "nothing is denied to it"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := examine(t, replaced(t, rendered[m.variant], m.from, m.to))
			if !strings.Contains(strings.Join(faults, "\n"), m.want) {
				t.Errorf("not a word of %q:\n%s", m.want, strings.Join(faults, "\n"))
			}
		})
	}
}

// TestMisconfigured sees TestSettings' check fail.
func TestMisconfigured(t *testing.T) {
	h := newHelm(t)
	edge := edgeSettings(t)
	for name, c := range map[string]struct{ value, want string }{
		"a setting that nobody has":       {`settings.log\.colour=red`, "no such variable as CALOTYPE_LOG__COLOUR"},
		"one of another service":          {`components.greeter.settings.worker\.slots=2`, "Deployment calotype-greeter: CALOTYPE_WORKER__SLOTS: no such"},
		"a value of no kind":              {`components.storage.settings.storage\.max_streams=many`, "storage.max_streams"},
		"a value out of bounds":           {`components.gateway.settings.rpc\.attempts=99`, "rpc.attempts"},
		"an edge's that it does not have": {`components.nginx.settings.edge\.colour=red`, "CALOTYPE_EDGE__COLOUR is no setting"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := misconfigured(t, h.template(t, append([]string{"--set", c.value}, backends...)...), edge)
			if !strings.Contains(strings.Join(faults, "\n"), c.want) {
				t.Errorf("not a word of %q:\n%s", c.want, strings.Join(faults, "\n"))
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
