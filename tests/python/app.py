"""An application with the official SDKs, unmodified: one JSON request a line in, one JSON answer a line out.

A request is {"seq", "sdk", "endpoint", "key", "secret", "token"?, "action", "params"}; `params` has the API's own names.
An answer is {"seq", "body"}, {"seq", "text", "elements"} for XML, or {"seq", "raised": {class, code, message, status}}. Beside the body
of an SDK with models stand the members that its models have and the answer has not ("missing"), and those that the answer has
and no model reads ("unread").
"""

import importlib
import importlib.util
import inspect
import json
import re
import sys
import threading
from xml.etree import ElementTree

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.auth.composer import rpc_signature_composer
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest


class Watched(dict):
    """What came, noting which of its members are asked for: a model asks for all that it has."""

    def __init__(self, came):
        super().__init__((name, watched(value)) for name, value in came.items())
        self.asked = set()

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)

    def differences(self, path=""):
        for name in sorted(self.asked - set(self)):
            yield "missing", path + name
        for name, value in self.items():
            # What is a map in the model, too, is handed over as it is.
            if name not in self.asked:
                yield "unread", path + name
            elif isinstance(value, Watched) and value.asked:
                yield from value.differences(path + name + ".")
            elif isinstance(value, list):
                for part in value:
                    if isinstance(part, Watched) and part.asked:
                        yield from part.differences(path + name + ".")


def watched(value):
    if isinstance(value, dict):
        return Watched(value)
    return [watched(part) for part in value] if isinstance(value, list) else value


class WatchingClient(Client):
    """The SDK's client, which keeps what came before the models read it."""

    # Parameters that the SDK's models do not have.
    more = {}
    # Headers that are none of the SDK's.
    headers = {}

    def call_api(self, params, request, runtime):
        request.query = {**(request.query or {}), **self.more}
        request.headers = {**(request.headers or {}), **self.headers}
        came = super().call_api(params, request, runtime)
        came["body"] = self.body = watched(came.get("body") or {})
        return came


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
    client = WatchingClient(config)
    client.more = {name: value for name, value in request["params"].items() if name == "ClientToken"}
    client.headers = {name: value for name, value in request["params"].items() if name in ("traceparent", "tracestate")}
    # It writes RRpc as r_rpc, and AsyncRRpc as async_rrpc.
    plain = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
    call = getattr(client, plain, None) or getattr(client, plain.replace("_r_rpc", "_rrpc"))
    response = call(getattr(models, action + "Request")().from_map(request["params"]))
    found = {"missing": [], "unread": []}
    for kind, path in client.body.differences():
        if path not in found[kind]:
            found[kind].append(path)
    return {"body": response.body.to_map(), **found}


def generated(request):
    """The SDK's own class for the action, filled in; nothing for an action that it does not have."""
    name = request["action"] + "Request"
    path = "aliyunsdkiot.request.v20180120." + name
    if importlib.util.find_spec(path) is None:
        return None
    signed = getattr(importlib.import_module(path), name)()
    for parameter, value in request["params"].items():
        plural = "s" if isinstance(value, list) else ""
        if parameter == "ClientToken":
            signed.add_query_param(parameter, value)
            continue
        getattr(signed, "set_" + parameter + plural)(value)
    return signed


def common(request):
    """What the SDK has for actions that it does not know."""
    signed = CommonRequest(version="2018-01-20", action_name=request["action"])
    signed.set_method("POST")
    for parameter, value in request["params"].items():
        for at, part in enumerate(value if isinstance(value, list) else [value], 1):
            name = "%s.%d" % (parameter, at) if isinstance(value, list) else parameter
            signed.add_query_param(name, part)
    return signed


def legacy(request, accept):
    host, port = request["endpoint"].split(":")
    if request.get("token"):
        credential = StsTokenCredential(request["key"], request["secret"], request["token"])
        client = AcsClient(region_id="cn-shanghai", credential=credential, port=int(port))
    else:
        client = AcsClient(request["key"], request["secret"], "cn-shanghai", port=int(port))
    signed = generated(request) or common(request)
    signed.set_endpoint(host)
    signed.set_protocol_type("http")
    signed.set_accept_format(accept)
    if accept == "JSON":
        return {"body": json.loads(client.do_action_with_exception(signed))}
    # The other function always asks for JSON, whatever was set.
    text = client.do_action(signed).decode("utf-8")
    return {"text": text, "elements": elements(ElementTree.fromstring(text))}


def elements(element):
    """An element's text, or its children by their names: as many as there are of each."""
    if len(element) == 0:
        return element.text or ""
    named = {}
    for child in element:
        # A list whose elements have no name: each is an `e`.
        each = list(child) if len(child) and all(part.tag == "e" for part in child) else [child]
        named.setdefault(child.tag, []).extend(elements(part) for part in each)
    return named


def signed_url(request):
    """Signs by the SDK's own composer and sends nothing: whoever asked sends it, as often as he likes."""
    params = dict(request["params"], Action=request["action"], Version="2018-01-20")
    url, _ = rpc_signature_composer.get_signed_url(params, request["key"], request["secret"], "JSON", "POST", {})
    return {"text": url}


def parameters(request):
    """What the model of a request has, and of which type: for an action without a model an exception."""
    model = getattr(models, request["action"] + "Request")
    found = {}
    for member, parameter in inspect.signature(model.__init__).parameters.items():
        if member == "self":
            continue
        kind = next((word for word in ("List", "int", "bool") if word in str(parameter.annotation)), "str").lower()
        # A map has an empty list for each list that is not set.
        for name, value in model(**{member: [] if kind == "list" else kind}).to_map().items():
            if (value == []) == (kind == "list"):
                found[name] = kind
    return {"body": found}


SDKS = {
    "tea": tea,
    "tea-v1": lambda request: tea(request, "v2"),
    "legacy": lambda request: legacy(request, "JSON"),
    "legacy-xml": lambda request: legacy(request, "XML"),
    "sign-only": signed_url,
    "parameters": parameters,
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
