"""An application whose calls go through a TLS proxy: the official SDKs over https, and a stream of events beside them.

Argument: {"endpoint": "localhost:PORT", "ca": the authority's file, "key", "secret", "product", "device"}.
Prints {"event": "stands"} when the stream has begun, {"event": "called", "sdk", "body" | "raised"} for each call, and
{"event": "told", "name", "data"} for each event. Without a key it calls nothing: {"get": address} is answered {"event": "got", "status"}.
"""

import json
import sys
import threading

import requests
from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.auth.composer import rpc_signature_composer
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

ARGUMENT = json.loads(sys.argv[1])


def tell(**event):
    print(json.dumps(event), flush=True)


def tea(params, algorithm=None):
    config = Config(access_key_id=ARGUMENT["key"], access_key_secret=ARGUMENT["secret"], endpoint=ARGUMENT["endpoint"],
                    protocol="HTTPS", ca=ARGUMENT["ca"], signature_algorithm=algorithm)
    request = models.InvokeThingServiceRequest().from_map(params)
    return Client(config).invoke_thing_service(request).body.to_map()


def legacy(params, method):
    host, port = ARGUMENT["endpoint"].split(":")
    client = AcsClient(ARGUMENT["key"], ARGUMENT["secret"], "cn-shanghai", port=int(port), verify=ARGUMENT["ca"])
    request = CommonRequest(version="2018-01-20", action_name="InvokeThingService")
    request.set_method(method)
    request.set_protocol_type("https")
    request.set_endpoint(host)
    request.set_domain(host)
    for name, value in params.items():
        request.add_query_param(name, value)
    return json.loads(client.do_action_with_exception(request))


SDKS = {
    "acs3": tea,
    "v1": lambda params: tea(params, "v2"),
    "v1-get": lambda params: legacy(params, "GET"),
    "v1-post": lambda params: legacy(params, "POST"),
}


def call(sdk, identifier, args):
    params = {"ProductKey": ARGUMENT["product"], "DeviceName": ARGUMENT["device"], "Identifier": identifier, "Args": args}
    try:
        tell(event="called", sdk=sdk, body=SDKS[sdk](params))
    except Exception as error:  # the tests look at what an application would see, whatever it is
        tell(event="called", sdk=sdk, raised=f"{type(error).__name__}: {error}")


def stream():
    params = {"Action": "StreamMessages", "Version": "2018-01-20", "kinds": "result"}
    url, _ = rpc_signature_composer.get_signed_url(params, ARGUMENT["key"], ARGUMENT["secret"], "JSON", "GET", {})
    address = f"https://{ARGUMENT['endpoint']}/events{url[url.index('?'):]}"
    answer = requests.get(address, stream=True, timeout=120, verify=ARGUMENT["ca"])
    if answer.status_code != 200:
        tell(event="stands", status=answer.status_code, text=answer.text)
        return
    name = None
    for line in answer.iter_lines(chunk_size=1):
        field, _, value = line.decode().partition(": ")
        if line == b"":
            tell(event="stands", status=200)
        elif field == "event":
            name = value
        elif field == "data":
            tell(event="told", name=name, data=json.loads(value))


if ARGUMENT["key"]:
    threading.Thread(target=stream, daemon=True).start()
for line in sys.stdin:
    request = json.loads(line)
    if "get" in request:
        tell(event="got", status=requests.get(request["get"], verify=ARGUMENT["ca"], timeout=30).status_code)
    else:
        call(request["sdk"], request["identifier"], request["args"])
