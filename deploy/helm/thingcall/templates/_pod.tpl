{{/* The pod of a Deployment or a StatefulSet. */}}
{{- define "thingcall.pod" -}}
{{- $v := .Values -}}
{{- $secrets := include "thingcall.secrets" . -}}
metadata:
  labels:
    {{- include "thingcall.selector" . | nindent 4 }}
    {{- with $v.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # A pod reads its configuration when it starts.
    checksum/config: {{ include "thingcall.config" . | sha256sum }}
    prometheus.io/scrape: "true"
    prometheus.io/port: "9464"
    {{- with $v.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "thingcall.serviceAccount" . }}
  automountServiceAccountToken: false
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # shutdown.ready_pause, shutdown.drain, and what plugins (7 s) and connections (2 s, twice) may take. No preStop: after SIGTERM
  # an instance takes calls for ready_pause more, while the Service takes it out.
  terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
  topologySpreadConstraints:
    - maxSkew: {{ $v.topologySpread.maxSkew }}
      topologyKey: {{ $v.topologySpread.topologyKey }}
      whenUnsatisfiable: {{ $v.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "thingcall.selector" . | nindent 10 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- with $v.initContainers }}
  initContainers: {{ toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: thingcall
      image: {{ include "thingcall.image" . }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: ["serve"]
      env:
        # So that each command that is run in the pod finds the server.
        - {name: THINGCALL_CONFIG, value: /etc/thingcall/thingcall.toml}
        {{- if and $v.mqtt.url (eq $v.store.kind "sqlite") (not (dig "mqtt" "client_id" "" $v.config)) }}
        # Its own name, which stays: the broker keeps QoS 1 replies and reports while it has no connection.
        - name: THINGCALL__MQTT__CLIENT_ID
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- end }}
        {{- with $v.env }}{{ toYaml . | nindent 8 }}{{ end }}
      ports:
        - {name: api, containerPort: 8080}
        - {name: operator, containerPort: 9464}
        {{- if $v.broker.embedded }}
        - {name: mqtt, containerPort: 1883}
        {{- if $v.broker.tls.secret }}
        - {name: mqtts, containerPort: 8883}
        {{- end }}
        {{- end }}
        {{- if $v.gate.enabled }}
        - {name: gate, containerPort: 8085}
        {{- end }}
        {{- if $v.console.enabled }}
        - {name: console, containerPort: 8090}
        {{- end }}
      # It answers while it waits for its store or its broker: a restart mends neither.
      livenessProbe:
        httpGet: {path: /healthz, port: operator}
        periodSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: operator}
        periodSeconds: 1
        failureThreshold: 1
      startupProbe:
        httpGet: {path: /healthz, port: operator}
        periodSeconds: 1
        failureThreshold: 120
      resources: {{ toYaml $v.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: ["ALL"]
      volumeMounts:
        - {name: config, mountPath: /etc/thingcall, readOnly: true}
        {{- if $secrets }}
        - {name: secrets, mountPath: /etc/thingcall-secrets, readOnly: true}
        {{- end }}
        {{- if $v.broker.tls.secret }}
        - {name: mqtt-tls, mountPath: /etc/thingcall-mqtt-tls, readOnly: true}
        {{- end }}
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- with $v.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "thingcall.fullname" . }}
    {{- if $secrets }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- $secrets | nindent 10 }}
    {{- end }}
    {{- if $v.broker.tls.secret }}
    - name: mqtt-tls
      secret:
        secretName: {{ $v.broker.tls.secret }}
        defaultMode: 0440
    {{- end }}
    {{- if eq $v.store.kind "postgres" }}
    # What lasts is in the PostgreSQL.
    - name: data
      emptyDir: {}
    {{- end }}
    - name: tmp
      emptyDir: {}
    {{- with $v.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}
