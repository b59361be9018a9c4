"""A device without a secret, with the official device SDK, unmodified: it proves its product's secret and is told its own.

The argument is {"host", "port", "product", "device", "product_secret", "wants", "model"}: `wants` is `register` (its secret) or
`regnwl` (a client id and a token, with which it connects at once and answers what it is called with); or {"url", ...} to ask
over HTTP. Events are `told` with what it was told, `connected`, and `answered` with the answer over HTTP.
"""

import hashlib
import hmac
import json
import sys
import threading
import urllib.parse
import urllib.request

from linkkit import linkkit

lock = threading.Lock()


def tell(**event):
    with lock:
        print(json.dumps(event), flush=True)


def over_http(wanted):
    """As the SDK does it, which knows no other host than the platform's."""
    content = "deviceName%sproductKey%srandom%s" % (wanted["device"], wanted["product"], "random")
    sign = hmac.new(wanted["product_secret"].encode(), content.encode(), hashlib.sha256).hexdigest()
    form = {
        "productKey": wanted["product"],
        "deviceName": wanted["device"],
        "random": "random",
        "sign": sign,
        "signMethod": "hmacsha256",
    }
    with urllib.request.urlopen(wanted["url"], urllib.parse.urlencode(form).encode("ascii")) as answer:
        tell(event="answered", body=json.loads(answer.read().decode("utf-8")))


def device_of(wanted, **credentials):
    device = linkkit.LinkKit(
        host_name="cn-shanghai", product_key=wanted["product"], device_name=wanted["device"], **credentials
    )
    device.config_mqtt(endpoint=wanted["host"], port=wanted["port"], secure="", auto_reconnect_max_sec=1)
    return device


def connect(wanted, client_id, username, password):
    device = device_of(wanted, device_secret="", client_id=client_id, username=username, password=password)
    if device.thing_setup(wanted["model"]) != 0:
        sys.exit("the SDK cannot read the model")
    device.on_connect = lambda session_flag, rc, userdata: tell(event="connected", rc=rc)
    device.on_thing_call_service = lambda identifier, request_id, params, userdata: device.thing_answer_service(
        identifier, request_id, 200, params
    )
    device.connect_async()
    return device


def main():
    wanted = json.loads(sys.argv[1])
    if "url" in wanted:
        return over_http(wanted)
    device = device_of(
        wanted, device_secret="", product_secret=wanted["product_secret"], auth_type=wanted["wants"]
    )
    kept = []

    def told_secret(rc, secret, userdata):
        tell(event="told", deviceSecret=secret)

    def told_token(rc, client_id, username, password):
        tell(event="told", clientId=client_id, username=username, deviceToken=password)
        # Not on the thread that called back: it is the one that ends the connection.
        threading.Thread(target=lambda: kept.append(connect(wanted, client_id, username, password))).start()

    device.on_device_dynamic_register = told_secret
    device.on_device_dynamic_register_nwl_reply = told_token
    device.connect_async()
    for _ in sys.stdin:
        pass


main()
