{{/* Names. */}}
{{- define "ringstream.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* A release may be called a.b or 1st; a Service may not. */}}
{{- define "ringstream.fullname" -}}
{{- $name := include "ringstream.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full = default $full .Values.fullnameOverride | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]" $full) -}}
{{- fail (printf "names of Services begin with a letter: %s needs a fullnameOverride" $full) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{/* Labels. Called with a dict of root and component, as are most of the following. */}}
{{- define "ringstream.selector" -}}
app.kubernetes.io/name: {{ include "ringstream.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "ringstream.podLabels" -}}
{{ include "ringstream.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
{{- end -}}

{{- define "ringstream.labels" -}}
{{ include "ringstream.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* metadata of an object named after its component. */}}
{{- define "ringstream.metadata" -}}
name: {{ include "ringstream.fullname" .root }}-{{ .component }}
labels:
  {{- include "ringstream.labels" . | nindent 2 }}
{{- end -}}

{{/* An image: a dict of root and image. */}}
{{- define "ringstream.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.image.registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else -}}
{{ $repository }}:{{ coalesce .image.tag .root.Values.image.tag .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What every pod has. A service account of its own shows who acts; none needs its token. */}}
{{- define "ringstream.pod" -}}
serviceAccountName: {{ include "ringstream.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every container has. Its last lines, which say why it ended, are in the pod's status. */}}
{{- define "ringstream.container" -}}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where a pod may run: a dict of root, component, service (its values) and revision (the label that tells one roll-out's pods). */}}
{{- define "ringstream.placing" -}}
topologySpreadConstraints:
  {{- if .service.topologySpreadConstraints }}
  {{- toYaml .service.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ringstream.selector" $ | nindent 8 }}
    matchLabelKeys: [{{ $.revision }}]
  {{- end }}
  {{- end }}
{{- with .service.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .service.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .service.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .service.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/*
Probes. Started and alive mean that the process answers; that NATS, Enreach or Reapit is away, or that work does not get on, makes a replica
unready, with the reason in /readyz, and restarts nothing: a restart would bring none of them back. Nothing is routed by readiness; it
holds up roll-outs and is what alerts go by. ingest reads its spool before it answers.
*/}}
{{- define "ringstream.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 90
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* How many bytes a quantity is, or a size such as 1GiB; nothing for what is neither. */}}
{{- define "ringstream.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "K" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $text := toString . | trimSuffix "B" -}}
{{- $number := regexFind "^[0-9.]+(e[+]?[0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- if and $number (hasKey $units $unit) -}}
{{ mulf $number (get $units $unit) | int64 }}
{{- end -}}
{{- end -}}

{{/* Nine tenths of the memory that a container may have, for Go's collector. */}}
{{- define "ringstream.memory" -}}
{{- with dig "limits" "memory" "" . | include "ringstream.bytes" -}}
{{ div (mul 9 (int64 .)) 10485760 }}MiB
{{- end -}}
{{- end -}}

{{/* The secret of a component's NATS user: a dict of root and service. */}}
{{- define "ringstream.natsSecret" -}}
{{- default .root.Values.nats.credentials.existingSecret .service.natsSecret -}}
{{- end -}}

{{/* The ports of nats.url: 4222 but where it says another. */}}
{{- define "ringstream.natsPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.nats.url }}
{{- $usual := ternary "443" (ternary "80" "4222" (hasPrefix "ws:" (trim .))) (hasPrefix "wss:" (trim .)) }}
{{- $ports = append $ports (regexFind ":[0-9]+/?$" (trim .) | trimAll ":/" | default $usual | int) }}
{{- end }}
{{- uniq $ports | toYaml -}}
{{- end -}}

{{/* The settings that reach NATS. */}}
{{- define "ringstream.natsEnv" -}}
{{- $nats := .root.Values.nats -}}
{{- if and $nats.credentials.userKey (not (include "ringstream.natsSecret" .)) }}
{{- fail "nats.credentials.userKey is a key of which Secret? nats.credentials.existingSecret, or natsSecret of each service and of provision" }}
{{- end -}}
- {name: NATS_URL, value: {{ $nats.url | quote }}}
- {name: PARTITIONS, value: {{ $nats.partitions | quote }}}
{{- with include "ringstream.natsSecret" . }}
{{- if $nats.credentials.userKey }}
- name: NATS_USER
  valueFrom:
    secretKeyRef: {name: {{ . | quote }}, key: {{ $nats.credentials.userKey | quote }}}
- {name: NATS_PASSWORD_FILE, value: /etc/ringstream/nats/{{ $nats.credentials.passwordKey }}}
{{- else }}
- {name: NATS_CREDS, value: /etc/ringstream/nats/{{ $nats.credentials.credsKey }}}
{{- end }}
{{- end }}
{{- if $nats.tls.existingSecret }}
{{- with $nats.tls.caKey }}
- {name: NATS_CA, value: /etc/ringstream/nats-tls/{{ . }}}
{{- end }}
{{- if $nats.tls.certKey }}
- {name: NATS_CERT, value: /etc/ringstream/nats-tls/{{ $nats.tls.certKey }}}
- {name: NATS_KEY, value: /etc/ringstream/nats-tls/{{ $nats.tls.privateKeyKey }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "ringstream.natsMounts" -}}
{{- if include "ringstream.natsSecret" . }}
- {name: nats, mountPath: /etc/ringstream/nats, readOnly: true}
{{- end }}
{{- if .root.Values.nats.tls.existingSecret }}
- {name: nats-tls, mountPath: /etc/ringstream/nats-tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "ringstream.natsVolumes" -}}
{{- with include "ringstream.natsSecret" . }}
- name: nats
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- with .root.Values.nats.tls.existingSecret }}
- name: nats-tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/*
Settings by name, those of the service over those of all: a dict of root, service and own, the environment that is there already. What is in that is
said by values of the chart, on which more than the environment depends.
*/}}
{{- define "ringstream.settings" -}}
{{- $all := dict -}}
{{- range $settings := list .root.Values.settings .service.settings }}
{{- range $name, $value := $settings }}
{{- $_ := set $all $name $value }}
{{- end }}
{{- end }}
{{- range fromYamlArray .own }}
{{- if hasKey $all .name }}{{ fail (printf "settings: %s is the chart's to set" .name) }}{{ end }}
{{- end }}
{{- range $name, $value := $all }}
- {name: {{ $name }}, value: {{ include "ringstream.text" $value | quote }}}
{{- end }}
{{- end -}}

{{/* A value as it was written: a large whole number has no exponent. */}}
{{- define "ringstream.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* The environment, mounts and volumes of a service or of the Job: a dict of root, component and service. Its own part is the template <component>.env and so on. */}}
{{- define "ringstream.env" -}}
{{- $own := include "ringstream.ownEnv" . -}}
{{ $own }}
{{- include "ringstream.settings" (dict "root" .root "service" .service "own" $own) }}
{{- end -}}

{{- define "ringstream.ownEnv" -}}
{{ include "ringstream.natsEnv" . }}
{{- if hasKey .service "shutdownSeconds" }}
- {name: HTTP_ADDR, value: ":8080"}
- {name: SHUTDOWN_TIMEOUT, value: {{ printf "%ds" (int .service.shutdownSeconds) }}}
{{- end }}
{{- if not (or (hasKey (default dict .service.settings) "GOMEMLIMIT") (hasKey (default dict .root.Values.settings) "GOMEMLIMIT")) }}
{{- with include "ringstream.memory" .service.resources }}
- {name: GOMEMLIMIT, value: {{ . }}}
{{- end }}
{{- end }}
{{- include (printf "%s.env" .component) . }}
{{- end -}}

{{- define "ringstream.mounts" -}}
{{- include "ringstream.natsMounts" . }}
{{- include (printf "%s.mounts" .component) . }}
{{- with .service.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ringstream.volumes" -}}
{{- include "ringstream.natsVolumes" . }}
{{- include (printf "%s.volumes" .component) . }}
{{- with .service.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
A service's pod. There is no preStop: nothing is routed to these pods that would have to be drained first, and SIGTERM is where their own
draining begins.
*/}}
{{- define "ringstream.podTemplate" -}}
metadata:
  labels:
    {{- include "ringstream.podLabels" . | nindent 4 }}
    {{- with .service.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .service.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "ringstream.pod" . | nindent 2 }}
  {{- include "ringstream.placing" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ add .service.shutdownSeconds 10 }}
  containers:
    - name: {{ .component }}
      image: {{ include "ringstream.image" (dict "root" .root "image" .service.image) }}
      {{- include "ringstream.container" . | nindent 6 }}
      ports:
        - {name: http, containerPort: 8080}
      env:
        {{- include "ringstream.env" . | nindent 8 }}
      {{- include "ringstream.probes" . | nindent 6 }}
      resources:
        {{- toYaml .service.resources | nindent 8 }}
      {{- with include "ringstream.mounts" . | trim }}
      volumeMounts:
        {{- . | nindent 8 }}
      {{- end }}
  {{- with include "ringstream.volumes" . | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What stands beside the workload of a service. The Service is for metrics: it balances nothing and shows unready replicas too. */}}
{{- define "ringstream.beside" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "ringstream.metadata" . | nindent 2 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata:
  {{- include "ringstream.metadata" . | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "ringstream.selector" . | nindent 4 }}
  ports:
    - {name: http, port: 8080, targetPort: http}
{{- if .service.podDisruptionBudget.enabled }}
---
# A replica that is not ready may always be evicted: whatever keeps it from its work must not keep a node from being drained.
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "ringstream.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .service.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "ringstream.selector" . | nindent 6 }}
{{- end }}
{{- end -}}
