{{- define "thingcall.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "thingcall.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "thingcall.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "thingcall.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "thingcall.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "thingcall.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "thingcall.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{- define "thingcall.selector" -}}
app.kubernetes.io/name: {{ include "thingcall.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "thingcall.labels" -}}
app.kubernetes.io/name: {{ include "thingcall.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What does not go together ends the rendering, and says what would. */}}
{{- define "thingcall.check" -}}
{{- $v := .Values -}}
{{- $postgres := eq $v.store.kind "postgres" -}}
{{- if and (gt (int $v.replicas) 1) (not $postgres) }}
{{- fail (printf "replicas is %d, and a SQLite file is for one server: set store.kind=postgres and store.url, or replicas=1" (int $v.replicas)) }}
{{- end }}
{{- if and (gt (int $v.replicas) 1) $v.broker.embedded }}
{{- fail (printf "replicas is %d, and the embedded broker is for one server: set broker.embedded=false and mqtt.url or amqp.url, or replicas=1" (int $v.replicas)) }}
{{- end }}
{{- if not (or $v.broker.embedded $v.mqtt.url $v.amqp.url) }}
{{- fail "no broker: set mqtt.url or amqp.url, or broker.embedded=true" }}
{{- end }}
{{- if and $postgres (not $v.store.url) }}
{{- fail "store.kind is postgres, and store.url is empty: postgres://USER@HOST:PORT/DATABASE" }}
{{- end }}
{{- if and $postgres (not $v.store.password.secret) (not (dig "store" "password_file" "" $v.config)) (not (contains "sslkey=" $v.store.url)) }}
{{- fail "store.kind is postgres, and store.password.secret is empty: the name of a Secret with its password" }}
{{- end }}
{{- if and (not $postgres) $v.store.url }}
{{- fail "store.url is set, and store.kind is sqlite: set store.kind=postgres" }}
{{- end }}
{{- if and $v.gate.enabled (not $v.gate.secret.secret) }}
{{- fail "gate.enabled is true, and gate.secret.secret is empty: the name of a Secret with what brokers show the gate" }}
{{- end }}
{{- if ne (empty $v.firstKey.id) (empty $v.firstKey.secret.secret) }}
{{- fail "firstKey.id and firstKey.secret.secret go together: set both or none" }}
{{- end }}
{{- if and $v.broker.tls.secret (not $v.broker.embedded) }}
{{- fail "broker.tls.secret is set, and broker.embedded is false: it is the embedded broker's" }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) }}
{{- fail "ingress.enabled is true, and ingress.hosts is empty: callers sign the host's name" }}
{{- end }}
{{- end }}

{{/* The configuration as a map: what the chart needs to be so, then .Values.config, which wins. */}}
{{- define "thingcall.config" -}}
{{- $v := .Values -}}
{{- $at := "/etc/thingcall-secrets" -}}
{{- $c := dict "data" "/data"
    "api" (dict "listen" "0.0.0.0:8080")
    "broker" (dict "enabled" $v.broker.embedded)
    "metrics" (dict "listen" "0.0.0.0:9464")
    "console" (dict "enabled" $v.console.enabled)
    "log" (dict "format" "json")
    "shutdown" (dict "ready_pause" "5s" "drain" "10s") -}}
{{- if $v.console.enabled }}{{ $_ := set $c "console" (dict "enabled" true "listen" "0.0.0.0:8090" "behind_tls" true) }}{{ end -}}
{{- if $v.broker.embedded }}{{ $_ := set $c.broker "listen" "0.0.0.0:1883" }}{{ end -}}
{{- if $v.broker.tls.secret }}{{ $_ := set $c.broker "tls" (dict "listen" "0.0.0.0:8883" "cert_file" "/etc/thingcall-mqtt-tls/tls.crt" "key_file" "/etc/thingcall-mqtt-tls/tls.key") }}{{ end -}}
{{- range $name := list "mqtt" "amqp" }}
{{- $one := index $v $name }}
{{- if $one.url }}
{{- $section := dict "url" $one.url }}
{{- if $one.username }}{{ $_ := set $section "username" $one.username }}{{ end }}
{{- if $one.password.secret }}{{ $_ := set $section "password_file" (printf "%s/%s-password" $at $name) }}{{ end }}
{{- $_ := set $c $name $section }}
{{- end }}
{{- end }}
{{- if eq $v.store.kind "postgres" }}
{{- $_ := set $c "store" (dict "url" $v.store.url) }}
{{- if $v.store.password.secret }}{{ $_ := set $c.store "password_file" (printf "%s/store-password" $at) }}{{ end }}
{{- end }}
{{- if $v.gate.enabled }}{{ $_ := set $c "gate" (dict "listen" "0.0.0.0:8085" "secret_file" (printf "%s/gate-secret" $at)) }}{{ end -}}
{{- if $v.firstKey.id }}{{ $_ := set $c "first_key" (dict "id" $v.firstKey.id "secret_file" (printf "%s/first-key" $at)) }}{{ end -}}
{{- mergeOverwrite $c (deepCopy $v.config) | toYaml }}
{{- end }}

{{/* A map as TOML: first its values, then its tables, and lists of tables. */}}
{{- define "thingcall.toml" -}}
{{- $at := .at }}
{{- range $key, $value := .table }}
{{- if not (or (kindIs "map" $value) (and (kindIs "slice" $value) $value (kindIs "map" (first $value)))) }}
{{ $key }} = {{ toRawJson $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .table }}
{{- $path := ternary $key (printf "%s.%s" $at $key) (empty $at) }}
{{- if kindIs "map" $value }}

[{{ $path }}]
{{- include "thingcall.toml" (dict "at" $path "table" $value) }}
{{- else if and (kindIs "slice" $value) $value (kindIs "map" (first $value)) }}
{{- range $value }}

[[{{ $path }}]]
{{- include "thingcall.toml" (dict "at" $path "table" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The Secrets that the configuration's files come from, each under the name it has there. */}}
{{- define "thingcall.secrets" -}}
{{- $v := .Values -}}
{{- $all := list
    (list $v.store.password "store-password" (eq $v.store.kind "postgres"))
    (list $v.mqtt.password "mqtt-password" (not (empty $v.mqtt.url)))
    (list $v.amqp.password "amqp-password" (not (empty $v.amqp.url)))
    (list $v.gate.secret "gate-secret" $v.gate.enabled)
    (list $v.firstKey.secret "first-key" true) -}}
{{- range $all }}
{{- if and (index . 0).secret (index . 2) }}
- secret:
    name: {{ (index . 0).secret }}
    items:
      - {key: {{ (index . 0).key | quote }}, path: {{ index . 1 }}}
{{- end }}
{{- end }}
{{- end }}
