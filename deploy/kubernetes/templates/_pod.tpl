{{- define "calotype.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "calotype.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "calotype.probes" -}}
{{- $timing := pick . "initialDelaySeconds" "periodSeconds" "timeoutSeconds" -}}
startupProbe:
  httpGet: {path: /healthz, port: ops}
  {{- toYaml $timing | nindent 2 }}
  failureThreshold: {{ .startupFailures }}
readinessProbe:
  httpGet: {path: /readyz, port: ops}
  {{- toYaml $timing | nindent 2 }}
  failureThreshold: {{ .readinessFailures }}
livenessProbe:
  httpGet: {path: /healthz, port: ops}
  {{- toYaml $timing | nindent 2 }}
  failureThreshold: {{ .livenessFailures }}
{{- end }}

{{/* The ports of a component's container, which its Service has too. */}}
{{- define "calotype.ports" -}}
{{- $ports := dict "ops" 9100 -}}
{{- if eq .name "nginx" }}{{ $ports = merge $ports (dict "http" 8080 "grpc" 8081) }}
  {{- if .root.Values.nginx.tls.secretName }}{{ $_ := set $ports "https" 8443 }}{{ end }}
{{- else if eq .name "gateway" }}{{ $_ := set $ports "http" 8080 }}
{{- else }}{{ $_ := set $ports "rpc" 9000 }}{{ end -}}
{{- toJson $ports -}}
{{- end }}

{{- define "calotype.image" -}}
{{- $i := .root.Values.image -}}
{{- $own := (include "calotype.component" . | fromJson).tag -}}
{{- if $i.registry }}{{ trimSuffix "/" $i.registry }}/{{ end }}{{ $i.repository }}/{{ .name }}:{{ $own | default $i.tag | default .root.Chart.AppVersion }}
{{- end }}
