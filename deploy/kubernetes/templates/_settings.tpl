{{/* The settings of a component, by their keys in docs/settings.md and docs/nginx.md: the chart's, then everybody's, then its own. A service does not
start with one that it does not know, so each gets its own only. */}}
{{- define "calotype.settings" -}}
{{- $v := .root.Values -}}
{{- $c := include "calotype.component" . | fromJson -}}
{{- $at := include "calotype.backends" .root | fromYaml -}}
{{- $s := dict
  "log.level" "info" "log.format" "json" "rpc.listen" ":9000" "ops.listen" ":9100"
  "registry.kind" $v.registry.kind "registry.addresses" (join "," $at.registry)
  "live.kind" (ternary $v.registry.kind "off" (and $v.registry.live (ne $v.registry.kind "dns")))
  "drain.wait" (printf "%ds" (int $c.drain.wait)) "drain.timeout" (printf "%ds" (int $c.drain.timeout)) -}}
{{- if eq $v.registry.kind "dns" -}}
  {{- $names := list -}}
  {{- range $name := list "gateway" "greeter" "image-manager" "image-worker" "storage" -}}
    {{- $host := printf "%s-%s.%s.svc" (include "calotype.fullname" $.root) $name $.root.Release.Namespace -}}
    {{- $names = append $names (printf "calotype-%s=%s" (ternary "image" $name (eq $name "image-manager")) (ternary (printf "http://%s:8080" $host) (printf "%s:9000" $host) (eq $name "gateway"))) -}}
  {{- end -}}
  {{- $_ := set $s "registry.names" (join "," $names) -}}
  {{- if not $at.registry }}{{ $_ := unset $s "registry.addresses" }}{{ end -}}
{{- end -}}
{{- if and (eq $v.registry.kind "etcd") $v.registry.username }}{{ $_ := set $s "registry.username" $v.registry.username }}{{ end -}}
{{- if $v.jaeger.collector -}}
  {{- $s = merge $s (dict "tracing.sampler" $v.jaeger.sampler "tracing.param" $v.jaeger.param "tracing.collector" $v.jaeger.collector) -}}
{{- else -}}
  {{- $_ := set $s "tracing.sampler" "off" -}}
{{- end -}}
{{- if has .name (list "image-manager" "image-worker") -}}
  {{- $s = merge $s (dict "queue.kind" "rabbitmq" "queue.rabbitmq.urls" (join "," $at.rabbitmq)
    "queue.rabbitmq.username" $v.rabbitmq.username "queue.rabbitmq.prefix" $v.rabbitmq.prefix) -}}
{{- end -}}
{{- if eq .name "nginx" -}}
  {{- $s = merge $s (dict "edge.cache.size" $v.nginx.cacheSize "edge.limits.upload" $v.nginx.uploadLimit "edge.trusted" (join "," $v.nginx.trusted)) -}}
  {{- if $v.nginx.tls.secretName }}{{ $s = merge $s (dict "edge.tls.cert_file" "/tls/tls.crt" "edge.tls.key_file" "/tls/tls.key") }}{{ end -}}
{{- else if eq .name "gateway" -}}
  {{- $s = merge $s (dict "http.listen" ":8080" "http.origins" (join "," $v.gateway.origins) "http.trusted_proxies" (join "," $v.gateway.trustedProxies) "limits.upload" $v.uploadLimit) -}}
{{- else if eq .name "image-manager" -}}
  {{- $s = merge $s (dict "image.store" "postgres" "image.postgres.url" $at.postgres) -}}
{{- else if eq .name "image-worker" -}}
  {{- $s = merge $s (dict "worker.limits.bytes" $v.uploadLimit) -}}
{{- else if eq .name "storage" -}}
  {{- $s = merge $s (dict "storage.kind" "s3" "storage.s3.endpoints" (join "," $at.s3) "storage.s3.bucket" $v.s3.bucket
    "storage.s3.create_bucket" $v.s3.createBucket "storage.s3.region" $v.s3.region) -}}
{{- end -}}
{{- toJson (mergeOverwrite $s (deepCopy $v.settings) (deepCopy $c.settings)) -}}
{{- end }}

{{/* The same as variables. YAML's whole numbers arrive as floating ones. */}}
{{- define "calotype.variables" -}}
{{- range $key, $value := include "calotype.settings" . | fromJson }}
{{- if kindIs "float64" $value }}{{ if eq $value (floor $value) }}{{ $value = int64 $value }}{{ end }}{{ end }}
CALOTYPE_{{ $key | replace "." "__" | upper }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{/* The secrets of a component: key in the Secret, which is its file's name, to the setting that reads it. */}}
{{- define "calotype.secrets" -}}
{{- $s := dict -}}
{{- $r := .root.Values.registry -}}
{{- if and (eq $r.kind "consul") $r.tokens }}{{ $_ := set $s (printf "consul-token-%s" .name) "registry.token" }}{{ end -}}
{{- if and (eq $r.kind "etcd") $r.username }}{{ $_ := set $s "etcd-password" "registry.password" }}{{ end -}}
{{- if has .name (list "image-manager" "image-worker") }}{{ $_ := set $s "rabbitmq-password" "queue.rabbitmq.password" }}{{ end -}}
{{- if eq .name "gateway" }}{{ $_ := set $s "signing-keys" "signing.keys" }}{{ end -}}
{{- if eq .name "image-manager" }}{{ $s = merge $s (dict "postgres-password" "image.postgres.password" "webhook-secrets" "image.webhooks.secrets") }}{{ end -}}
{{- if eq .name "storage" }}{{ $s = merge $s (dict "s3-access-key" "storage.s3.access_key" "s3-secret-key" "storage.s3.secret_key") }}{{ end -}}
{{- toJson $s -}}
{{- end }}

{{/* Changes when a secret of the component does. The Secret that the chart did not make can be read only with a cluster at hand. */}}
{{- define "calotype.secretsChecksum" -}}
{{- $data := .root.Values.secrets.data -}}
{{- if not .root.Values.secrets.create -}}
  {{- $data = (lookup "v1" "Secret" .root.Release.Namespace .root.Values.secrets.name).data | default dict -}}
{{- end -}}
{{- $own := dict "name" .root.Values.secrets.name -}}
{{- range $key := keys (include "calotype.secrets" . | fromJson) }}{{ $_ := set $own $key (get $data $key) }}{{ end -}}
{{- toJson $own | sha256sum -}}
{{- end }}
