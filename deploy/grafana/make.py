#!/usr/bin/env python3
"""Writes the dashboards beside this file from the short form below.

  deploy/grafana/make.py           writes them
  deploy/grafana/make.py --check   says which are not as they would be written, and fails
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent / "dashboards"
WIDTH = 24
RATE = "[$__rate_interval]"
OF = 'job="$job",instance=~"$instance"'


def of(labels=""):
    """Selects the instances that are looked at."""
    return "{" + OF + ("," + labels if labels else "") + "}"


def rate(name, by, labels=""):
    return f"sum by ({by}) (rate({name}{of(labels)}{RATE}))"


def quantile(share, name, by="", labels=""):
    buckets = ", ".join(filter(None, ["le", by]))
    return f"histogram_quantile({share}, sum by ({buckets}) (rate({name}_bucket{of(labels)}{RATE})))"


def percentiles(name, labels="", by=""):
    legend = f"{{{{{by}}}}} " if by else ""
    return [(quantile(share, name, by, labels), f"{legend}p{round(share * 100)}") for share in (0.5, 0.95, 0.99)]


def panel(title, *queries, unit="short", about="", kind="timeseries", width=8, height=8, stack=False, least=None, most=None):
    return {
        "title": title, "queries": [one if isinstance(one, tuple) else (one, "") for one in queries], "unit": unit,
        "about": about, "kind": kind, "width": width, "height": height, "stack": stack, "least": least, "most": most,
    }


def row(title, *panels):
    return {"title": title, "panels": panels}


UP = 'Green: it holds. `curl http://INSTANCE/readyz` says why not.'

OVERVIEW = [
    row(
        "Calls",
        panel("Calls by outcome", (rate("thingcall_calls_total", "outcome") + " > 0", "{{outcome}}"), unit="cps", stack=True,
              about="Each call once, when it ends; an asynchronous one when its answer came or its time was over."),
        panel("Synchronous calls", *percentiles("thingcall_call_duration_seconds", 'mode="sync"'), unit="s",
              about="From accepted to answered, as the caller feels it. 8 s is the limit."),
        panel("Whose time it is",
              (quantile(0.95, "thingcall_device_response_seconds"), "device and broker, p95"),
              (quantile(0.95, "thingcall_call_stage_duration_seconds", "stage"), "server: {{stage}}, p95"),
              unit="s", about="What devices take, and the server's own stages."),
        panel("Answered within 8 s", ("thingcall:calls_in_time:ratio_rate5m" + of(), "{{instance}}"), unit="percentunit", most=1,
              about="Of synchronous calls that came to a device. A refusal is quick, too: read it beside the outcomes."),
        panel("Pending calls", (f"sum by (instance) (thingcall_pending_calls{of()})", "{{instance}}"),
              ("max by (instance) (thingcall_pending_calls_limit" + of() + ")", "{{instance}} limit"), least=0,
              about="Calls that wait for their device. At the limit more are refused."),
        panel("Devices that did not answer", (rate("thingcall_device_response_timeouts_total", "transport"), "{{transport}}"), unit="cps",
              about="In time. Those that did are in the times of devices."),
        panel("Answers that came to no call", (rate("thingcall_replies_total", "result", 'result!="matched"'), "{{result}}"), unit="cps",
              about="late: its caller had given up. unknown, malformed, wrong_device: see the dashboard of brokers."),
    ),
    row(
        "Is it well",
        panel("Conditions", (f"min by (instance, name) (thingcall_condition{of()})", "{{instance}} {{name}}"), kind="state", about=UP),
        panel("Ways to devices", (f"min by (instance, transport) (thingcall_transport_up{of()})", "{{instance}} {{transport}}"), kind="state",
              about="1 when connected, subscribed, and what is sent to oneself through the broker comes back."),
        panel("Alerts", ('count by (alertname, severity) (ALERTS{alertstate="firing"}) or vector(0)', "{{alertname}} {{severity}}"), kind="table",
              about="Those of deploy/prometheus/alerts.yml that fire."),
        panel("Limits that are used most", ("topk(10, thingcall:limit_used:ratio" + of() + ")", "{{limit}} {{listener}}{{transport}}{{target}}"),
              unit="percentunit", kind="bars", width=12, most=1,
              about="Of whatever has a limit. Rings and caches are full by design: recent_calls, devices_cached and their likes."),
        panel("Lines of the log", (rate("thingcall_log_messages_total", "level"), "{{level}}"), unit="cps", width=12,
              about="error: somebody must act."),
    ),
    row(
        "Callers",
        panel("Requests", (rate("thingcall_http_requests_total", "route") + " > 0", "{{route}}"), unit="reqps", stack=True),
        panel("Requests that failed", (rate("thingcall_http_requests_total", "code", 'code!="200"'), "{{code}}"), unit="reqps",
              about="By HTTP status. A call that fails is answered with 200 and Success false: see outcomes."),
        panel("Answers by code", (rate("thingcall_answers_total", "code", 'code!="ok"') + " > 0 or vector(0)", "{{code}}"), unit="reqps", stack=True,
              about="What callers read where it was not success."),
        panel("Signatures", (rate("thingcall_auth_total", "result"), "{{result}}"), unit="reqps",
              about="denied: a signature that does not match, or too old. unknown: a key that is not there."),
        panel("Connections", (f"sum by (listener) (thingcall_listener_connections{of()})", "{{listener}}"),
              ("sum by (listener) (thingcall_listener_connections_limit" + of() + ")", "{{listener}} limit")),
        panel("Arguments and answers that do not fit the model", (rate("thingcall_validation_failures_total", "direction, kind") + " > 0 or vector(0)", "{{direction}} {{kind}}"),
              unit="cps", about="args: what callers sent. reply, post: what devices sent."),
        panel("The busiest account", ("max by (instance) (thingcall_account_calls_per_second" + of() + ")", "{{instance}}"),
              ("max by (instance) (thingcall_account_calls_per_second_limit" + of() + ")", "{{instance}} limit"), unit="cps",
              about="Beyond the limit: Throttling.User."),
    ),
    row(
        "Store",
        panel("Writable", (f"min by (instance) (thingcall_store_writable{of()})", "{{instance}}"), kind="state"),
        panel("Waits to be written", (f"sum by (instance) (thingcall_store_write_queue_records{of()})", "{{instance}} calls"),
              (f"sum by (instance) (thingcall_store_append_queue_messages{of()})", "{{instance}} messages")),
        panel("Failures", (rate("thingcall_store_failures_total", "reason") + " > 0 or vector(0)", "{{reason}}"), unit="cps"),
        panel("Devices", (f"max by (instance) (thingcall_store_devices{of()})", "{{instance}}"), least=0),
        panel("Commands that wait for a device", (f"sum by (instance) (thingcall_store_outbox_calls{of()})", "{{instance}}"), least=0,
              about="Asynchronous ones at QoS 1."),
        panel("Records of calls", (f"sum by (instance) (thingcall_store_records{of()})", "{{instance}} asynchronous"),
              (f"sum by (instance) (thingcall_store_call_records{of()})", "{{instance}} others"), least=0),
    ),
    row(
        "Process",
        panel("CPU", (f"rate(process_cpu_seconds_total{of()}{RATE})", "{{instance}}"), unit="none", about="Cores in use.", least=0),
        panel("Memory", ("process_resident_memory_bytes" + of(), "{{instance}}"), unit="bytes", least=0),
        panel("Open files", ("process_open_fds" + of(), "{{instance}}"), ("process_max_fds" + of(), "{{instance}} limit")),
        panel("Releases", (f"max by (instance, version, revision) (thingcall_build_info{of()})", "{{instance}} {{version}} {{revision}}"), kind="table", width=12),
        panel("Up since", (f"time() - process_start_time_seconds{of()}", "{{instance}}"), unit="s", kind="stat", width=12),
    ),
]

PLUGINS = [
    row(
        "Which",
        panel("Active plugins", (f"max by (instance, plugin, version, abi) (thingcall_plugin_info{of()})", "{{instance}} {{plugin}} {{version}}"), kind="table", width=12),
        panel("Files that are refused", (f"max by (instance) (thingcall_plugin_files_refused{of()})", "{{instance}}"), kind="stat", width=6,
              about="`thingcall plugin list` says why."),
        panel("Mapped files", (f"max by (instance) (thingcall_plugin_images_resident{of()})", "{{instance}}"), kind="stat", width=6,
              about="None is ever unmapped: after many swaps a restart gives memory back."),
    ),
    row(
        "Calls",
        panel("Calls by result", (rate("thingcall_plugin_calls_total", "plugin, result") + " > 0", "{{plugin}} {{result}}"), unit="cps", stack=True,
              about="declined: its own no. device_timeout: a device that it asked did not answer. timeout, panic, error: its own fault. busy: too many calls in hand."),
        panel("With its devices", *percentiles("thingcall_plugin_call_duration_seconds", by="plugin"), unit="s", about="Time in a plugin, its devices' included."),
        panel("Its own time", *percentiles("thingcall_plugin_own_seconds", by="plugin"), unit="s", about="Without that in which it waited for its devices."),
        panel("In hand", (f"sum by (plugin) (thingcall_plugin_in_flight{of()})", "{{plugin}}"), least=0,
              about="With those of a generation that was replaced, until they end."),
    ),
    row(
        "Trouble",
        panel("Blocks", (f"max by (plugin) (thingcall_plugin_circuit_open{of()})", "{{plugin}}"), kind="stat",
              about="1 while its code holds its threads: calls are refused until it gives one back."),
        panel("Held its thread too long", (rate("thingcall_plugin_stalls_total", "plugin"), "{{plugin}}"), unit="cps"),
        panel("Answered calls that had ended", (rate("thingcall_plugin_stale_total", "plugin"), "{{plugin}}"), unit="cps"),
        panel("Loads", (f"sum by (result) (thingcall_plugin_loads_total{of()})", "{{result}}"), kind="table", about="Since the start."),
        panel("Ended the server", (f"max by (plugin) (thingcall_plugin_ended_server_total{of()})", "{{plugin}}"), kind="stat",
              about="Also in earlier processes."),
        panel("Not loaded, with claims", (f"max by (plugin) (thingcall_plugin_refused{of()})", "{{plugin}}"), kind="stat", about="1: its calls fail."),
    ),
]

BROKERS = [
    row(
        "Ways to devices",
        panel("Up", (f"min by (instance, transport) (thingcall_transport_up{of()})", "{{instance}} {{transport}}"), kind="state"),
        panel("Reports are heard", (f"min by (instance, transport) (thingcall_transport_posts_up{of()})", "{{instance}} {{transport}}"), kind="state"),
        panel("Connecting", (rate("thingcall_transport_connects_total", "transport, result") + " > 0 or vector(0)", "{{transport}} {{result}}"), unit="cps",
              about="To brokers; for `embedded`, of devices to us."),
        panel("Messages to devices", (rate("thingcall_transport_published_total", "transport, result") + " > 0", "{{transport}} {{result}}"), unit="cps", stack=True,
              about="sent: left, no acknowledgement waited for. acked, nacked, returned: what the broker said. blocked: no room. failed: no connection."),
        panel("From publish to acknowledgement", *percentiles("thingcall_transport_publish_ack_seconds", by="transport"), unit="s",
              about="The broker's part; the device's own behind the embedded one."),
        panel("Devices and broker", *percentiles("thingcall_device_response_seconds", by="transport"), unit="s", about="From sent to the reply."),
        panel("Messages from devices", (rate("thingcall_transport_received_total", "transport, kind"), "{{transport}} {{kind}}"), unit="cps", stack=True),
        panel("Queue to the broker", (f"sum by (instance, transport) (thingcall_transport_send_queue_length{of()}) / sum by (instance, transport) (thingcall_transport_send_queue_limit{of()})", "{{instance}} {{transport}}"),
              unit="percentunit", most=1, least=0),
        panel("Led to nothing", (rate("thingcall_dropped_messages_total", "transport, reason") + " > 0 or vector(0)", "{{transport}} {{reason}}"), unit="cps",
              about="Messages of devices. `thingcall device show` tells a device's last one."),
    ),
    row(
        "Embedded broker",
        panel("Connected devices", (f"sum by (instance) (thingcall_broker_sessions{of()})", "{{instance}}"),
              ("sum by (instance) (thingcall_broker_sessions_limit" + of() + ")", "{{instance}} limit"), least=0),
        panel("Logins refused", (rate("thingcall_broker_refusals_total", "reason") + " > 0 or vector(0)", "{{reason}}"), unit="cps"),
        panel("Pushed out by their own name", (rate("thingcall_broker_takeovers_total", "instance"), "{{instance}}"), unit="cps",
              about="A device that logs in while it is connected. Many: two have one name."),
        panel("Kept for devices that are away", (f"sum by (instance) (thingcall_broker_kept_bytes{of()})", "{{instance}}"), unit="bytes", least=0),
        panel("Filters refused", (rate("thingcall_broker_subscriptions_refused_total", "instance"), "{{instance}}"), unit="cps"),
        panel("Held back until written", (rate("thingcall_broker_session_pauses_total", "instance"), "{{instance}}"), unit="cps",
              about="A device was read no further until one of its reports was written."),
    ),
    row(
        "External brokers",
        panel("Not acknowledged yet", (f"sum by (instance, transport) (thingcall_transport_unacknowledged_length{of()})", "{{instance}} {{transport}}"), least=0),
        panel("The oldest of them", (f"max by (instance, transport) (thingcall_transport_unacknowledged_oldest_seconds{of()})", "{{instance}} {{transport}}"), unit="s", least=0),
        panel("Answers to other instances' calls", (rate("thingcall_transport_foreign_replies_total", "transport"), "{{transport}}"), unit="cps",
              about="Every instance hears every answer; these are dropped before they are read."),
        panel("Gate: questions", (rate("thingcall_gate_decisions_total", "broker, result") + " > 0 or vector(0)", "{{broker}} {{result}}"), unit="cps",
              about="Of brokers, about devices."),
        panel("Gate: refused", (rate("thingcall_gate_refusals_total", "broker, reason") + " > 0 or vector(0)", "{{broker}} {{reason}}"), unit="cps"),
        panel("Acknowledged before it was written", (rate("thingcall_transport_early_acks_total", "transport"), "{{transport}}"), unit="cps",
              about="The store did not write for 2 s: a crash then would have lost these answers."),
    ),
]

RESULTS = [
    row(
        "The log of messages",
        panel("Written", (rate("thingcall_store_messages_written_total", "kind") + " > 0", "{{kind}}"), unit="cps", stack=True,
              about="Nothing is written of a kind that nobody wants."),
        panel("In the log", (f"max by (instance) (thingcall_store_messages{of()})", "{{instance}}"),
              (f"max by (instance) (thingcall_store_messages_limit{of()})", "{{instance}} limit"), least=0, about="The oldest go at the limit."),
        panel("Dropped before they were read", (rate("thingcall_store_messages_lost_total", "reader"), "{{reader}}"), unit="cps"),
    ),
    row(
        "Consumer groups",
        panel("Consumers", (f"sum by (instance) (thingcall_subscription_consumers{of()})", "{{instance}}"),
              (f"sum by (instance) (thingcall_subscription_consumers_limit{of()})", "{{instance}} limit"), least=0),
        panel("Sent", (rate("thingcall_subscription_messages_sent_total", "from"), "{{from}}"), unit="cps", about="backlog: they came back and are sent once more."),
        panel("What became of them", (rate("thingcall_subscription_messages_settled_total", "outcome") + " > 0 or vector(0)", "{{outcome}}"), unit="cps", stack=True),
        panel("Out, and not settled", (f"sum by (instance) (thingcall_subscription_unsettled_messages{of()})", "{{instance}}"), least=0),
        panel("Logins", (rate("thingcall_subscription_logins_total", "result") + " > 0 or vector(0)", "{{result}}"), unit="cps"),
        panel("Connections that ended", (rate("thingcall_subscription_connections_ended_total", "reason") + " > 0 or vector(0)", "{{reason}}"), unit="cps"),
    ),
    row(
        "Webhooks",
        panel("Deliveries", (rate("thingcall_webhook_deliveries_total", "target, result") + " > 0 or vector(0)", "{{target}} {{result}}"), unit="cps", stack=True),
        panel("Wait", (f"max by (target, state) (thingcall_webhook_messages{of()})", "{{target}} {{state}}"), least=0,
              about="unread, to be tried again, dead letters: `thingcall webhook list`."),
        panel("How long a request takes", *percentiles("thingcall_webhook_seconds", by="target"), unit="s"),
        panel("Takes nothing", (f"max by (target) (thingcall_webhook_failing{of()})", "{{target}}"), kind="stat"),
        panel("On their way", (f"sum by (target) (thingcall_webhook_in_flight_requests{of()})", "{{target}}"), least=0),
    ),
    row(
        "Streams and topics",
        panel("Readers of events", (f"sum by (instance) (thingcall_event_streams{of()})", "{{instance}}"), least=0),
        panel("Streams that ended", (rate("thingcall_event_streams_ended_total", "why") + " > 0 or vector(0)", "{{why}}"), unit="cps"),
        panel("Wait for a broker's topics", (f"sum by (instance) (thingcall_mqtt_messages_due{of()})", "{{instance}}"), least=0),
    ),
]

DASHBOARDS = {
    "thingcall-overview": ("thingcall", OVERVIEW),
    "thingcall-plugins": ("thingcall: plugins", PLUGINS),
    "thingcall-brokers": ("thingcall: brokers", BROKERS),
    "thingcall-results": ("thingcall: results", RESULTS),
}

KINDS = {"timeseries": "timeseries", "state": "state-timeline", "table": "table", "bars": "bargauge", "stat": "stat"}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def options(one):
    kind = one["kind"]
    if kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if kind == "state":
        return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": False}, "mergeValues": True, "rowHeight": 0.8, "showValue": "never"}
    if kind == "bars":
        return {"displayMode": "basic", "orientation": "horizontal", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if kind == "stat":
        return {"colorMode": "none", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "textMode": "auto"}
    return {"showHeader": True}


def field_config(one):
    defaults = {"unit": one["unit"]}
    if one["kind"] == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line", "fillOpacity": 20 if one["stack"] else 0, "lineWidth": 1, "showPoints": "never",
            "stacking": {"group": "A", "mode": "normal" if one["stack"] else "none"},
        }
    if one["kind"] == "state":
        defaults["custom"] = {"fillOpacity": 70, "lineWidth": 0}
        defaults["color"] = {"mode": "thresholds"}
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"color": "red", "value": None}, {"color": "green", "value": 1}]}
    if one["kind"] == "bars":
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "orange", "value": 0.8}, {"color": "red", "value": 0.95}]}
        defaults["color"] = {"mode": "thresholds"}
    for name, value in (("min", one["least"] if one["least"] is not None or one["kind"] != "bars" else 0), ("max", one["most"])):
        if value is not None:
            defaults[name] = value
    return {"defaults": defaults, "overrides": []}


def target(place, expression, legend, kind):
    told = {
        "datasource": DATASOURCE, "expr": expression, "legendFormat": legend or "__auto", "refId": chr(ord("A") + place),
        "editorMode": "code",
    }
    if kind in ("table", "bars"):
        told |= {"instant": True, "range": False, "format": "table" if kind == "table" else "time_series"}
    return told


def panels(rows):
    made, top = [], 0
    for part in rows:
        made.append({"type": "row", "id": len(made) + 1, "title": part["title"], "collapsed": False, "panels": [], "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": top}})
        top, left = top + 1, 0
        for one in part["panels"]:
            if left + one["width"] > WIDTH:
                top, left = top + one["height"], 0
            made.append({
                "type": KINDS[one["kind"]], "id": len(made) + 1, "title": one["title"], "description": one["about"],
                "datasource": DATASOURCE, "gridPos": {"h": one["height"], "w": one["width"], "x": left, "y": top},
                "fieldConfig": field_config(one), "options": options(one),
                "targets": [target(place, *query, one["kind"]) for place, query in enumerate(one["queries"])],
            })
            left += one["width"]
        top += part["panels"][-1]["height"]
    return made


def variables():
    asked = {"type": "query", "datasource": DATASOURCE, "refresh": 2, "sort": 1, "hide": 0}
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus", "hide": 0, "refresh": 1},
        asked | {"name": "job", "label": "Job", "query": "label_values(thingcall_build_info, job)", "multi": False, "includeAll": False},
        asked | {"name": "instance", "label": "Instance", "query": 'label_values(thingcall_build_info{job="$job"}, instance)', "multi": True, "includeAll": True, "current": {"selected": True, "text": ["All"], "value": ["$__all"]}},
    ]


def dashboard(uid, title, rows):
    link = {"title": "thingcall", "type": "dashboards", "tags": ["thingcall"], "asDropdown": True, "includeVars": True, "keepTime": True}
    return {
        "uid": uid, "title": title, "tags": ["thingcall"], "timezone": "browser", "editable": True, "schemaVersion": 39, "version": 1,
        "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "links": [link], "graphTooltip": 1,
        "templating": {"list": variables()}, "annotations": {"list": []}, "panels": panels(rows),
    }


def main():
    check, stale = sys.argv[1:] == ["--check"], []
    for uid, (title, rows) in DASHBOARDS.items():
        text = json.dumps(dashboard(uid, title, rows), indent=1) + "\n"
        file = FOLDER / f"{uid}.json"
        if check and (not file.exists() or file.read_text() != text):
            stale.append(file.name)
        elif not check:
            file.write_text(text)
    if stale:
        raise SystemExit(f"not as make.py writes them: {', '.join(stale)}")


main()
