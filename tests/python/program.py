"""An application as people write them for the platform, with the official SDK: it makes a product and a device, commands the
device, looks at what it said, and tidies up. Only endpoint and key are a test's.

The argument is {"endpoint", "key", "secret", "model"}. It writes {"event": "registered", "product", "device", "secret"}, waits
until the device is online, writes {"event": "set"} once it has set a property, waits until that is reported, and writes
{"event": "done", ...} at the end, or {"event": "failed", "what"}.
"""

import base64
import json
import sys
import time

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config


class PlatformError(Exception):
    """The platform said no."""


def checked(body):
    if not body.success:
        raise PlatformError(f"{body.code}: {body.error_message} (request {body.request_id})")
    return body


class Lamps:
    """The lamps of one product."""

    def __init__(self, client):
        self.client = client
        self.product = None

    def make_product(self, name, model):
        request = models.CreateProductRequest(product_name=name, node_type=0, data_format=1, aliyun_commodity_code="iothub_senior")
        self.product = checked(self.client.create_product(request).body).product_key
        model = dict(model, profile=dict(model["profile"], productKey=self.product))
        request = models.ImportThingModelTslRequest(product_key=self.product, tsl_str=json.dumps(model))
        checked(self.client.import_thing_model_tsl(request).body)
        request = models.UpdateProductRequest(product_key=self.product, product_name=name + "_renamed", description="lamps")
        checked(self.client.update_product(request).body)
        request = models.QueryProductRequest(product_key=self.product)
        return checked(self.client.query_product(request).body).data

    def products(self):
        page, found = 1, []
        while True:
            request = models.QueryProductListRequest(current_page=page, page_size=50)
            data = checked(self.client.query_product_list(request).body).data
            found += [product.product_key for product in data.list.product_info]
            if page >= data.page_count:
                return found
            page += 1

    def register(self, name):
        request = models.RegisterDeviceRequest(product_key=self.product, device_name=name, nickname="a lamp")
        return checked(self.client.register_device(request).body).data

    def wait_online(self, name, seconds=60):
        request = models.GetDeviceStatusRequest(product_key=self.product, device_name=name)
        end = time.monotonic() + seconds
        while checked(self.client.get_device_status(request).body).data.status != "ONLINE":
            if time.monotonic() > end:
                raise PlatformError("the device does not come")
            time.sleep(0.1)

    def invoke(self, name, identifier, **args):
        request = models.InvokeThingServiceRequest(
            product_key=self.product, device_name=name, identifier=identifier, args=json.dumps(args)
        )
        data = checked(self.client.invoke_thing_service(request).body).data
        return json.loads(data.result) if data.result else data.message_id

    def set(self, name, **properties):
        request = models.SetDevicePropertyRequest(product_key=self.product, device_name=name, items=json.dumps(properties))
        return checked(self.client.set_device_property(request).body).data.message_id

    def status(self, name):
        request = models.QueryDevicePropertyStatusRequest(product_key=self.product, device_name=name)
        body = checked(self.client.query_device_property_status(request).body)
        return {one.identifier: one.value for one in body.data.list.property_status_info}

    def history(self, name, identifier):
        now = int(time.time() * 1000)
        request = models.QueryDevicePropertyDataRequest(
            product_key=self.product, device_name=name, identifier=identifier,
            start_time=now - 3_600_000, end_time=now + 1000, page_size=10, asc=1,
        )
        body = checked(self.client.query_device_property_data(request).body)
        return [one.value for one in body.data.list.property_info]

    def publish(self, name, content):
        request = models.PubRequest(
            product_key=self.product, topic_full_name=f"/{self.product}/{name}/user/get",
            message_content=base64.b64encode(content).decode(), qos=0,
        )
        return checked(self.client.pub(request).body).message_id

    def rrpc(self, name, content):
        request = models.RRpcRequest(
            product_key=self.product, device_name=name, timeout=5000, topic=f"/{self.product}/{name}/user/ask",
            request_base_64byte=base64.b64encode(content).decode(),
        )
        body = checked(self.client.r_rpc(request).body)
        if body.rrpc_code != "SUCCESS":
            raise PlatformError("RRpc: " + body.rrpc_code)
        return base64.b64decode(body.payload_base_64byte)

    def devices(self):
        request = models.QueryDeviceRequest(product_key=self.product, current_page=1, page_size=10)
        return [device.device_name for device in checked(self.client.query_device(request).body).data.device_info]

    def detail(self, name):
        request = models.QueryDeviceDetailRequest(product_key=self.product, device_name=name)
        return checked(self.client.query_device_detail(request).body).data

    def remove(self, name):
        request = models.DeleteDeviceRequest(product_key=self.product, device_name=name)
        checked(self.client.delete_device(request).body)
        checked(self.client.delete_product(models.DeleteProductRequest(product_key=self.product)).body)


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def main():
    wanted = json.loads(sys.argv[1])
    lamps = Lamps(Client(Config(
        access_key_id=wanted["key"], access_key_secret=wanted["secret"], endpoint=wanted["endpoint"], protocol="HTTP",
    )))
    product = lamps.make_product("lamps", wanted["model"])
    assert lamps.product in lamps.products()
    lamp = lamps.register("lamp1")
    tell("registered", product=lamp.product_key, device=lamp.device_name, secret=lamp.device_secret, iotId=lamp.iot_id)
    lamps.wait_online("lamp1")

    done = {
        "product": product.product_name,
        "invoked": lamps.invoke("lamp1", "Measure", channel=1),
        "set": lamps.set("lamp1", Brightness=40),
        "published": lamps.publish("lamp1", b"hello"),
        "echoed": lamps.rrpc("lamp1", b"are you there").decode(),
        "devices": lamps.devices(),
        "online": lamps.detail("lamp1").status,
    }
    # Its people see to it that the device reports what it was set to.
    tell("set", property="Brightness", value=40)
    end = time.monotonic() + 60
    while lamps.status("lamp1").get("Brightness") != "40":
        if time.monotonic() > end:
            raise PlatformError("the property is not reported")
        time.sleep(0.1)
    done["history"] = lamps.history("lamp1", "Brightness")
    lamps.remove("lamp1")
    assert lamps.product not in lamps.products()
    tell("done", **done)


try:
    main()
except Exception as error:  # whatever it is, the test wants to see it
    tell("failed", what=f"{type(error).__name__}: {error}")
