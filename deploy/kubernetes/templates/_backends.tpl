{{/* Where what Calotype stands on is reached: yours, or the parts for trying. Neither, or both, is a mistake that is told at once. The broker is named
with its namespace, as KEDA asks it from another. */}}
{{- define "calotype.backends" -}}
{{- $v := .Values -}}
{{- $dev := printf "%s-dev" (include "calotype.fullname" .) -}}
{{- $faults := list -}}
{{- range $part, $given := dict "consul" (or $v.registry.addresses (eq $v.registry.kind "dns")) "rabbitmq" $v.rabbitmq.urls "postgres" $v.postgres.url "s3" $v.s3.endpoints -}}
  {{- $key := get (dict "consul" "registry.addresses" "rabbitmq" "rabbitmq.urls" "postgres" "postgres.url" "s3" "s3.endpoints") $part -}}
  {{- $on := (index $v.dev $part).enabled -}}
  {{- if and (not $given) (not $on) }}{{ $faults = append $faults (printf "%s: give it, or dev.%s.enabled=true to try it with one of the chart's own" $key $part) }}{{ end -}}
  {{- if and $given $on }}{{ $faults = append $faults (printf "%s and dev.%s.enabled: only one of them" $key $part) }}{{ end -}}
{{- end -}}
{{- if and $v.dev.consul.enabled $v.registry.tokens }}{{ $faults = append $faults "registry.tokens: the Consul of dev.consul has no access control: false" }}{{ end -}}
{{- if and $v.dev.consul.enabled (ne $v.registry.kind "consul") }}{{ $faults = append $faults "registry.kind: dev.consul is a Consul" }}{{ end -}}
{{- if eq $v.registry.kind "dns" -}}
  {{- $m := include "calotype.component" (dict "root" . "name" "image-manager") | fromJson -}}
  {{- $leads := get (merge (deepCopy $m.settings) $v.settings) "leader.kind" -}}
  {{- if and (not $leads) (or $m.autoscaling.enabled (gt (int $m.replicas) 1)) }}{{ $faults = append $faults "registry.kind: names elect no leader: components.image-manager with replicas=1 and autoscaling.enabled=false, or leader.kind consul or etcd in settings, with registry.addresses" }}{{ end -}}
  {{- if and $leads (not $v.registry.addresses) }}{{ $faults = append $faults "registry.addresses: leader.kind needs those of its servers" }}{{ end -}}
{{- end -}}
{{- if not $v.secrets.name }}{{ $faults = append $faults "secrets.name: there must be one" }}{{ end -}}
{{- if $faults }}{{ fail (printf "\n- %s\n" (join "\n- " $faults)) }}{{ end -}}
registry: {{ toJson (ternary (list (printf "%s-consul:8500" $dev)) $v.registry.addresses $v.dev.consul.enabled) }}
rabbitmq: {{ toJson (ternary (list (printf "amqp://%s-rabbitmq.%s.svc:5672/" $dev .Release.Namespace)) $v.rabbitmq.urls $v.dev.rabbitmq.enabled) }}
postgres: {{ toJson (ternary (printf "postgres://calotype@%s-postgres:5432/calotype?sslmode=disable" $dev) $v.postgres.url $v.dev.postgres.enabled) }}
s3: {{ toJson (ternary (list (printf "http://%s-s3:7070" $dev)) $v.s3.endpoints $v.dev.s3.enabled) }}
{{- end }}
