"""A device with the official device SDK, unmodified: events as one JSON object a line out, commands a line in.

The argument is {"host", "port", "product", "device", "secret", "model", "client_id"?, "subscribe", "leave"}. With
`subscribe` it subscribes to its topics by itself, as it must where the broker does not push; with `leave` it ends when its
connection ends instead of connecting again. A command is {"silent": true} or {"code", "data"}: what it answers from then
on; without `data` it answers what it was asked. Or {"post": properties}, {"event": [identifier, output]}, {"tags": [..]}: what
it reports; what it is answered is an event `answered`. Or {"answer": [identifier, id, data]}: an answer of a silent one.
Or {"say": [topic, text]}: what it publishes on a topic of its own; {"ask_for": topic}: what it subscribes to, which is an event
`subscribed`. A message on a topic of its own is an event `message`; a
question in bytes it answers with the same bytes backwards.
"""

import json
import os
import sys
import threading

from linkkit import linkkit

lock = threading.Lock()
behaviour = {"code": 200}


def tell(**event):
    with lock:
        print(json.dumps(event), flush=True)


def main():
    wanted = json.loads(sys.argv[1])
    device = linkkit.LinkKit(
        host_name="cn-shanghai",
        product_key=wanted["product"],
        device_name=wanted["device"],
        device_secret=wanted["secret"],
        client_id=wanted.get("client_id"),
    )
    # By itself it would soon wait for a minute between two attempts to connect.
    device.config_mqtt(endpoint=wanted["host"], port=wanted["port"], secure="", auto_reconnect_max_sec=1)
    if device.thing_setup(wanted["model"]) != 0:
        sys.exit("the SDK cannot read the model")

    def on_connect(session_flag, rc, userdata):
        tell(event="connected", rc=rc)
        mine = "/%s/%s/user/" % (wanted["product"], wanted["device"])
        if rc == 0:
            device.subscribe_rrpc_topic([mine + "ask"])
        if wanted["subscribe"] and rc == 0:
            own = "/sys/%s/%s/" % (wanted["product"], wanted["device"])
            topics = [own + "thing/service/+", "/ext/rrpc/+" + own + "thing/service/+"]
            topics += [own + "thing/event/+/post_reply", own + "thing/deviceinfo/update_reply"]
            topics += [own + "thing/service/property/set", own + "rrpc/request/+", mine + "get"]
            topics += [own + "broadcast/request/+"]
            rc, _ = device.subscribe_topic([(topic, 1) for topic in topics])
            if rc != 0:
                tell(event="subscribe failed", rc=rc)

    def on_disconnect(rc, userdata):
        tell(event="disconnected", rc=rc)
        if wanted["leave"]:
            os._exit(0)

    def on_call(identifier, request_id, params, userdata):
        tell(event="called", identifier=identifier, id=request_id, params=params)
        if not behaviour.get("silent"):
            data = behaviour.get("data", params)
            device.thing_answer_service(identifier, request_id, behaviour["code"], data)

    # The SDK takes reports only from then on, which is after it says that it is connected.
    enabled = threading.Event()
    device.on_thing_enable = lambda userdata: enabled.set()
    device.on_connect = on_connect
    device.on_disconnect = on_disconnect
    device.on_subscribe_topic = lambda mid, granted, userdata: tell(event="subscribed", granted=granted)
    device.on_thing_call_service = on_call
    # The SDK answers by itself that they are set.
    device.on_thing_prop_changed = lambda params, userdata: tell(event="set", params=params)

    def on_answer(of, code, data, message):
        tell(event="answered", of=of, code=code, data=data, message=message)

    device.on_thing_prop_post = lambda id, code, data, message, userdata: on_answer("post", code, data, message)
    device.on_thing_event_post = lambda event, id, code, data, message, userdata: on_answer(event, code, data, message)
    device.on_thing_device_info_update = lambda id, code, data, message, userdata: on_answer("tags", code, data, message)

    def on_message(topic, payload, qos, userdata):
        if "/rrpc/request/" not in topic:
            tell(event="message", topic=topic, payload=bytes(payload).decode("latin-1"), qos=qos)
        elif not behaviour.get("silent") and not bytes(payload).startswith(b"{"):
            # The call of a service is nothing that this SDK's applications answer on that topic.
            device.publish_topic(topic.replace("/rrpc/request/", "/rrpc/response/"), bytes(payload)[::-1], 0)

    def on_question(rrpc_id, topic, payload, qos, userdata):
        tell(event="asked", topic=topic)
        if not behaviour.get("silent"):
            device.thing_answer_rrpc(rrpc_id, bytes(payload)[::-1])

    device.on_topic_message = on_message
    device.on_topic_rrpc_message = on_question
    device.connect_async()

    for line in sys.stdin:
        said = json.loads(line)
        if "ask_for" in said:
            device.subscribe_topic(said["ask_for"], 1)
            continue
        if "say" in said:
            device.publish_topic(said["say"][0], said["say"][1], 1)
            continue
        reports = {
            "post": device.thing_post_property,
            "event": lambda event: device.thing_trigger_event(tuple(event)),
            "tags": device.thing_update_device_info,
        }
        reported = [kind for kind in reports if kind in said]
        if reported:
            enabled.wait()
            rc, _ = reports[reported[0]](said[reported[0]])
            if rc != 0:
                tell(event="not reported", rc=rc)
            continue
        if "answer" in said:
            identifier, request_id, data = said["answer"]
            device.thing_answer_service(identifier, request_id, 200, data)
            continue
        behaviour.clear()
        behaviour.update(said)
        tell(event="behaves")


main()
