{{/* What every part for trying is: a StatefulSet of one with a volume, and a Service. Call with root, name, ports, user, path (of the volume) and container. */}}
{{- define "calotype.dev" -}}
{{- $at := dict "root" .root "name" (printf "dev-%s" .name) -}}
{{- $full := printf "%s-dev-%s" (include "calotype.fullname" .root) .name -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}
  labels: {{- include "calotype.labels" $at | nindent 4 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{- include "calotype.selector" $at | nindent 4 }}
  ports:
    {{- range $port, $number := .ports }}
    - {name: {{ $port }}, port: {{ $number }}, targetPort: {{ $port }}}
    {{- end }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $full }}
  labels: {{- include "calotype.labels" $at | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $full }}
  labels: {{- include "calotype.labels" $at | nindent 4 }}
spec:
  replicas: 1
  serviceName: {{ $full }}
  selector:
    matchLabels: {{- include "calotype.selector" $at | nindent 6 }}
  template:
    metadata:
      labels: {{- include "calotype.labels" $at | nindent 8 }}
      {{- with .config }}
      annotations:
        checksum/settings: {{ toYaml . | sha256sum }}
      {{- end }}
    spec:
      serviceAccountName: {{ $full }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      securityContext: {{- include "calotype.podSecurity" .user | nindent 8 }}
      containers:
        - name: {{ .name }}
          image: {{ (index .root.Values.dev .name).image }}
          imagePullPolicy: IfNotPresent
          securityContext: {{- include "calotype.containerSecurity" . | nindent 12 }}
          ports:
            {{- range $port, $number := .ports }}
            - {name: {{ $port }}, containerPort: {{ $number }}}
            {{- end }}
          {{- .container | nindent 10 }}
          volumeMounts:
            - {name: data, mountPath: {{ .path }}}
            {{- range .writable }}
            - {name: scratch, mountPath: {{ . }}, subPath: {{ base . }}}
            {{- end }}
            {{- if .config }}
            - {name: config, mountPath: /calotype, readOnly: true}
            {{- end }}
            {{- if .secrets }}
            - {name: secrets, mountPath: /secrets, readOnly: true}
            {{- end }}
      volumes:
        - {name: scratch, emptyDir: {sizeLimit: 256Mi}}
        {{- if .config }}
        - {name: config, configMap: {name: {{ $full }}}}
        {{- end }}
        {{- with .secrets }}
        - name: secrets
          secret:
            secretName: {{ $.root.Values.secrets.name }}
            defaultMode: 0440
            items:
              {{- range . }}
              - {key: {{ . }}, path: {{ . }}}
              {{- end }}
        {{- end }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .root.Values.dev.storageClassName }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ (index .root.Values.dev .name).size }}}}
{{- with .config }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $full }}
  labels: {{- include "calotype.labels" $at | nindent 4 }}
data: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Whether the part answers on a port. */}}
{{- define "calotype.dev.probes" -}}
startupProbe: {tcpSocket: {port: {{ . }}}, initialDelaySeconds: 5, periodSeconds: 10, timeoutSeconds: 3, failureThreshold: 30}
readinessProbe: {tcpSocket: {port: {{ . }}}, initialDelaySeconds: 5, periodSeconds: 10, timeoutSeconds: 3}
livenessProbe: {tcpSocket: {port: {{ . }}}, initialDelaySeconds: 5, periodSeconds: 10, timeoutSeconds: 3, failureThreshold: 6}
{{- end }}
