{{- define "calotype.fullname" -}}
{{- if contains "calotype" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-calotype" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What selects Pods never changes: call with root and name. */}}
{{- define "calotype.selector" -}}
app.kubernetes.io/name: calotype
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "calotype.labels" -}}
{{ include "calotype.selector" . }}
app.kubernetes.io/part-of: {{ if hasPrefix "dev-" .name }}calotype-dev{{ else }}calotype{{ end }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What a component is told, laid over the defaults. */}}
{{- define "calotype.component" -}}
{{- $own := index .root.Values.components .name -}}
{{- toJson (mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy $own)) -}}
{{- end }}

{{/* Seconds that a component's Pods get to leave. */}}
{{- define "calotype.grace" -}}
{{- add .drain.preStop .drain.wait .drain.timeout .drain.margin -}}
{{- end }}

{{/* Whether something else than the Deployment says how many there are. */}}
{{- define "calotype.elastic" -}}
{{- $c := include "calotype.component" . | fromJson -}}
{{- if eq .name "image-worker" }}{{ if ne .root.Values.workers.scaling "none" }}true{{ end }}
{{- else if $c.autoscaling.enabled }}true{{ end }}
{{- end }}

{{/* The least number of a component's Pods. */}}
{{- define "calotype.least" -}}
{{- $c := include "calotype.component" . | fromJson -}}
{{- if not (include "calotype.elastic" .) }}{{ int $c.replicas }}
{{- else if eq .name "image-worker" }}{{ int .root.Values.workers.min }}
{{- else }}{{ int $c.autoscaling.min }}{{ end }}
{{- end }}
