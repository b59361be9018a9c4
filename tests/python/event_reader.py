"""A reader of `GET /events`, with `requests`, signed by the official SDK's own composer.

Argument: {"endpoint", "key", "secret", "params", "last"?: id, "reads"?: false}; `last` is sent as Last-Event-ID.
Prints {"event": "answered", "status", "type", "text"}, then {"event": "told", "id", "name", "data"} for each event, and
{"event": "ended", "clean"} at the end of the stream. With "reads" false it reads nothing until a line comes.
"""

import json
import sys

import requests
from aliyunsdkcore.auth.composer import rpc_signature_composer

argument = json.loads(sys.argv[1])


def tell(**event):
    print(json.dumps(event), flush=True)


def lines(answer):
    rest = b""
    for piece in answer.iter_content(chunk_size=None):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)


def main():
    params = {"Action": "StreamMessages", "Version": "2018-01-20", **argument["params"]}
    url, _ = rpc_signature_composer.get_signed_url(params, argument["key"], argument["secret"], "JSON", "GET", {})
    headers = {"Last-Event-ID": argument["last"]} if argument.get("last") else {}
    address = f"http://{argument['endpoint']}/events{url[url.index('?'):]}"
    answer = requests.get(address, headers=headers, stream=True, timeout=120)
    streams = answer.status_code == 200
    tell(event="answered", status=answer.status_code, type=answer.headers.get("content-type"),
         text="" if streams else answer.text)
    if not streams:
        return
    if argument.get("reads") is False:
        sys.stdin.readline()
    last, name, data, clean = None, "message", [], True
    try:
        for line in lines(answer):
            field, _, value = line.partition(": ")
            if line == "" and data:
                tell(event="told", id=last, name=name, data=json.loads("\n".join(data)))
            if line == "":
                if not data:
                    tell(event="stands", id=last)
                name, data = "message", []
            elif field == "id":
                last = value
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
    except requests.exceptions.RequestException:
        clean = False
    tell(event="ended", clean=clean)


main()
