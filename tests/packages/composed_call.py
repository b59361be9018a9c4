"""An application and a device against a composed server: a product, a device, and calls by both signatures, by the official SDKs.

Argument: {"api", "mqtt": hosts, "secret": of the access key `operator`, "password"?: the device's at its broker; else it signs as the
platform's devices do}. Prints {"product", "device"}, waits for a line, and prints what was called.
"""

import hashlib
import hmac
import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config

ARGUMENT = json.loads(sys.argv[1])
MODEL = {
    "schema": "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json", "profile": {"productKey": ""}, "properties": [],
    "events": [], "services": [{
        "identifier": "Echo", "name": "Echo", "required": False, "callType": "sync", "method": "thing.service.Echo",
        "inputData": [{"identifier": "n", "name": "n", "dataType": {"type": "int", "specs": {"min": "0", "max": "100"}}}],
        "outputData": [{"identifier": "n", "name": "n", "dataType": {"type": "int", "specs": {"min": "0", "max": "100"}}}],
    }],
}


def client(algorithm=None):
    return Client(Config(access_key_id="operator", access_key_secret=ARGUMENT["secret"], endpoint=f"{ARGUMENT['api']}:8080",
                         protocol="HTTP", signature_algorithm=algorithm))


def checked(body):
    assert body.success, (body.code, body.error_message)
    return body


def connect(product, device, secret):
    name = f"{device}&{product}"
    content = f"clientId{device}deviceName{device}productKey{product}"
    password = ARGUMENT["password"] or hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest()
    connected = mqtt.Client(client_id=f"{device}|securemode=3,signmethod=hmacsha256,ext=1|")
    connected.username_pw_set(name, password)
    ready = threading.Event()

    def on_connect(one, _, __, rc):
        assert rc == 0, rc
        one.subscribe([(f"/ext/rrpc/+/sys/{product}/{device}/thing/service/+", 0), (f"/sys/{product}/{device}/rrpc/request/+", 0)])

    def on_message(one, _, message):
        asked = json.loads(message.payload)
        # A broker of MQTT 3.1.1 brings it its own answers on /ext/rrpc.
        if "params" not in asked:
            return
        answer = {"id": asked["id"], "code": 200, "data": asked["params"]}
        topic = message.topic.replace("/rrpc/request/", "/rrpc/response/")
        one.publish(topic, json.dumps(answer))

    connected.on_connect, connected.on_message = on_connect, on_message
    connected.on_subscribe = lambda *_: ready.set()
    connected.connect(ARGUMENT["mqtt"], 1883)
    connected.loop_start()
    assert ready.wait(30), "the device is not connected"


def main():
    one = client()
    product = checked(one.create_product(models.CreateProductRequest(
        product_name="echo", node_type=0, data_format=1, aliyun_commodity_code="iothub_senior")).body).product_key
    model = json.dumps(dict(MODEL, profile={"productKey": product}))
    checked(one.import_thing_model_tsl(models.ImportThingModelTslRequest(product_key=product, tsl_str=model)).body)
    device = checked(one.register_device(models.RegisterDeviceRequest(product_key=product, device_name="echo1")).body).data
    print(json.dumps({"product": product, "device": "echo1"}), flush=True)
    sys.stdin.readline()
    # A broker that reads its users again does so a moment later.
    for _ in range(50):
        try:
            connect(product, "echo1", device.device_secret)
            break
        except AssertionError:
            time.sleep(0.2)
    for number, algorithm in enumerate([None, "v2"] * 3):
        request = models.InvokeThingServiceRequest(product_key=product, device_name="echo1", identifier="Echo", args=json.dumps({"n": number}))
        body = checked(client(algorithm).invoke_thing_service(request).body)
        assert json.loads(body.data.result)["data"] == {"n": number}, body.data.result
    print("called 6 times, by both signatures", flush=True)


main()
