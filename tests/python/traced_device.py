"""A device that speaks MQTT 5 and traces: it reads whose trace a command belongs to, reports what it does as a span below that to
the collector, and answers with its own place in the trace.

Argument: {"host", "port", "clientId", "username", "password", "product", "name", "collector": HOST:PORT}.
Prints {"event": "connected"} once it has subscribed, and then {"event": "called", "topic", "properties", "span"} for each command, also
for one that came before its subscription was acknowledged.
"""

import json
import os
import sys
import time
import urllib.request

import paho.mqtt.client as mqtt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

argument = json.loads(sys.argv[1])
own = "/sys/{product}/{name}".format(**argument)


# What it was called before it said that it is connected; nothing any more once it has.
early = []


def tell(**event):
    print(json.dumps(event), flush=True)


def on_subscribe(*_):
    global early
    tell(event="connected")
    for event in early or []:
        tell(**event)
    early = None


def report(trace, parent, span, began):
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    service = resource.resource.attributes.add()
    service.key = "service.name"
    service.value.string_value = "device"
    told = resource.scope_spans.add().spans.add()
    told.trace_id, told.span_id, told.parent_span_id = (bytes.fromhex(text) for text in (trace, span, parent))
    told.name = "execute"
    told.start_time_unix_nano, told.end_time_unix_nano = began, time.time_ns()
    url = "http://%s/v1/traces" % argument["collector"]
    headers = {"content-type": "application/x-protobuf"}
    urllib.request.urlopen(urllib.request.Request(url, request.SerializeToString(), headers)).read()


def reply_topic(topic):
    if "/rrpc/request/" in topic:
        return topic.replace("/rrpc/request/", "/rrpc/response/")
    return topic if topic.startswith("/ext/") else topic + "_reply"


def on_message(client, _userdata, message):
    began = time.time_ns()
    properties = dict(getattr(message.properties, "UserProperty", []))
    span = os.urandom(8).hex()
    answering = Properties(PacketTypes.PUBLISH)
    if "traceparent" in properties:
        _, trace, parent, flags = properties["traceparent"].split("-")
        if flags == "01":
            report(trace, parent, span, began)
        answering.UserProperty = [("traceparent", "-".join(["00", trace, span, flags]))]
    called = {"event": "called", "topic": message.topic, "properties": properties, "span": span}
    tell(**called) if early is None else early.append(called)
    body = {"id": json.loads(message.payload)["id"], "code": 200, "data": {"mean": 1.5, "samples": [], "param1": 1}}
    client.publish(reply_topic(message.topic), json.dumps(body), 1, properties=answering)


def on_connect(client, _userdata, _flags, reason, _properties):
    if reason != 0:
        sys.exit("refused: %s" % reason)
    client.subscribe([(topic, mqtt.SubscribeOptions(qos=1, noLocal=True)) for topic in (
        own + "/rrpc/request/+", "/ext/rrpc/+" + own + "/#", own + "/thing/service/+",
    )])


client = mqtt.Client(argument["clientId"], protocol=mqtt.MQTTv5)
client.username_pw_set(argument["username"], argument["password"])
client.on_connect, client.on_message, client.on_subscribe = on_connect, on_message, on_subscribe
client.connect(argument["host"], argument["port"])
client.loop_forever()
