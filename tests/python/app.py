"""An application with the official SDKs, unmodified: one JSON request a line in, one JSON answer a line out.

A request is {"seq", "sdk", "endpoint", "key", "secret", "token"?, "action", "params"}; `params` has the API's own names.
An answer is {"seq", "body"}, {"seq", "text"} for XML, or {"seq", "raised": {class, code, message, status}}.
"""

import importlib
import json
import re
import sys
import threading

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.auth.composer import rpc_signature_composer
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient


def tea(request, algorithm=None):
    config = Config(
        access_key_id=request["key"],
        access_key_secret=request["secret"],
        security_token=request.get("token"),
        endpoint=request["endpoint"],
        protocol="HTTP",
        signature_algorithm=algorithm,
    )
    action = request["action"]
    call = getattr(Client(config), re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())
    response = call(getattr(models, action + "Request")().from_map(request["params"]))
    return {"body": response.body.to_map()}


def legacy(request, accept):
    host, port = request["endpoint"].split(":")
    if request.get("token"):
        credential = StsTokenCredential(request["key"], request["secret"], request["token"])
        client = AcsClient(region_id="cn-shanghai", credential=credential, port=int(port))
    else:
        client = AcsClient(request["key"], request["secret"], "cn-shanghai", port=int(port))
    name = request["action"] + "Request"
    module = importlib.import_module("aliyunsdkiot.request.v20180120." + name)
    signed = getattr(module, name)()
    signed.set_endpoint(host)
    signed.set_protocol_type("http")
    signed.set_accept_format(accept)
    for parameter, value in request["params"].items():
        plural = "s" if isinstance(value, list) else ""
        getattr(signed, "set_" + parameter + plural)(value)
    if accept == "JSON":
        return {"body": json.loads(client.do_action_with_exception(signed))}
    # The other function always asks for JSON, whatever was set.
    return {"text": client.do_action(signed).decode("utf-8")}


def signed_url(request):
    """Signs by the SDK's own composer and sends nothing: whoever asked sends it, as often as he likes."""
    params = dict(request["params"], Action=request["action"], Version="2018-01-20")
    url, _ = rpc_signature_composer.get_signed_url(params, request["key"], request["secret"], "JSON", "POST", {})
    return {"text": url}


SDKS = {
    "tea": tea,
    "tea-v1": lambda request: tea(request, "v2"),
    "legacy": lambda request: legacy(request, "JSON"),
    "legacy-xml": lambda request: legacy(request, "XML"),
    "sign-only": signed_url,
}


def text_of(error, *names):
    for name in names:
        value = getattr(error, name, None)
        if value is not None and not callable(value):
            return value
    return None


def raised(error):
    return {
        "class": type(error).__name__,
        "code": text_of(error, "code", "error_code"),
        "message": str(text_of(error, "message") or error),
        "status": text_of(error, "status_code", "statusCode", "http_status"),
    }


def answer(request, lock):
    try:
        result = SDKS[request["sdk"]](request)
    except Exception as error:  # the tests look at what an application would see, whatever it is
        result = {"raised": raised(error)}
    result["seq"] = request["seq"]
    with lock:
        print(json.dumps(result), flush=True)


def main():
    lock = threading.Lock()
    for line in sys.stdin:
        threading.Thread(target=answer, args=(json.loads(line), lock), daemon=True).start()


main()
