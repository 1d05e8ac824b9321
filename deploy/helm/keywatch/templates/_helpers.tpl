{{- define "keywatch.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "keywatch.account" -}}
{{- .Values.serviceAccount.name | default (ternary (include "keywatch.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* What all objects carry. */}}
{{- define "keywatch.labels" -}}
{{ include "keywatch.ours" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What never changes, for selectors. */}}
{{- define "keywatch.ours" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "keywatch.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{/* What every pod has, whatever it runs; but whose account it has. */}}
{{- define "keywatch.pod" -}}
automountServiceAccountToken: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every container has. */}}
{{- define "keywatch.container" -}}
image: {{ include "keywatch.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- with .Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "keywatch.env" -}}
- name: KEYWATCH_DATABASE
  valueFrom:
    secretKeyRef:
      name: {{ required "database.existingSecret names the Secret with PostgreSQL's URL" .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
{{- if .Values.redis.existingSecret }}
- name: KEYWATCH_GATEWAY_REDIS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.key }}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "keywatch.mounts" -}}
- { name: config, mountPath: /etc/keywatch, readOnly: true }
- { name: state, mountPath: /var/lib/keywatch }
- { name: tmp, mountPath: /tmp }
{{- end -}}

{{- define "keywatch.volumes" -}}
- name: config
  configMap: { name: {{ include "keywatch.name" . }} }
- name: state
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- end -}}

{{/* Annotations of a pod: another configuration means other pods. */}}
{{- define "keywatch.annotations" -}}
checksum/config: {{ .Values.config | sha256sum }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}
