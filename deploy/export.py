"""Asks the cloud for products, devices, consumer groups and subscriptions. Prints the commands that bring them here, and writes
the files that these name into the folder in which it runs: they hold devices' secrets.

    pip install alibabacloud-iot20180120
    ENDPOINT=iot.cn-shanghai.aliyuncs.com AK=... SK=... INSTANCE=... python3 export.py PRODUCTKEY... > import.sh

INSTANCE is left out on the old public instance. Nothing is changed in the cloud. MIGRATE.md tells the rest.
"""

import json
import os
import shlex
import sys

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config

# The flags of which there are messages here.
TOPICS = {
    "DeviceDataFlag": "device_data",
    "DeviceStatusChangeFlag": "device_status",
    "DeviceLifeCycleFlag": "device_life_cycle",
    "ThingHistoryFlag": "thing_history",
    "DeviceTagFlag": "device_tag",
}
environment = os.environ
client = Client(
    Config(
        access_key_id=environment["AK"],
        access_key_secret=environment["SK"],
        endpoint=environment["ENDPOINT"],
        protocol=environment.get("PROTOCOL", "HTTPS"),
    )
)


def ask(action, must=True, **parameters):
    request = getattr(models, action + "Request")(iot_instance_id=environment.get("INSTANCE"), **parameters)
    method = "".join("_" + letter.lower() if letter.isupper() else letter for letter in action)[1:]
    answer = getattr(client, method)(request).body.to_map()
    if must and not answer.get("Success"):
        sys.exit(f"{action} {parameters}: {answer}")
    return answer


def say(*words, unless=()):
    command = lambda words: " ".join(["thingcall", *map(shlex.quote, words)])
    print(*([command(unless), ">/dev/null 2>&1 ||"] if unless else []), command(words))


def groups():
    page, pages = 1, 1
    while page <= pages:
        answer = ask("QueryConsumerGroupList", current_page=page, page_size=1000)
        for group in answer["Data"]["ConsumerGroupDTO"]:
            if group["GroupId"] != "DEFAULT_GROUP":
                id = group["GroupId"]
                say("group", "add", group["GroupName"], "--id", id, unless=("group", "show", id))
        page, pages = page + 1, answer["PageCount"]


def model(product, name, **module):
    text = ask("GetThingModelTslPublished", product_key=product, **module)["Data"]["TslStr"]
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return json.loads(text)


def model_files(product):
    files = [f"{product}.json"]
    for block in model(product, files[0]).get("functionBlocks") or []:
        module = block["functionBlockId"]
        files.append(f"{product}.{module}.json")
        model(product, files[-1], function_block_id=module)
    return files


def product_of(key):
    about = ask("QueryProduct", product_key=key)["Data"]
    validation = ["--validation", "free"] if about.get("ValidateType") == 2 else []
    data_format = ["--data-format", "custom"] if about.get("DataFormat") == 0 else []
    say("product", "import", "--key", key, "--name", about["ProductName"], *validation, *data_format, *model_files(key))


def devices(product):
    name, page, pages, disabled = f"{product}.devices.jsonl", 1, 1, []
    with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        while page <= pages:
            answer = ask("QueryDevice", product_key=product, current_page=page, page_size=50)
            for device in answer["Data"]["DeviceInfo"]:
                line = {
                    "productKey": product,
                    "deviceName": device["DeviceName"],
                    "deviceSecret": device["DeviceSecret"],
                    "nickname": device.get("Nickname"),
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                if device.get("DeviceStatus") == "DISABLE":
                    disabled.append(f"{product}/{line['deviceName']}")
            page, pages = page + 1, answer["PageCount"]
    say("device", "import", name)
    for device in disabled:
        say("device", "disable", device)


def subscription(product):
    answer = ask("QuerySubscribeRelation", must=False, product_key=product, type="AMQP")
    if not answer.get("Success"):
        print(f"{product} has no subscription: {answer.get('ErrorMessage')}", file=sys.stderr)
        return
    topics = [topic for flag, topic in TOPICS.items() if answer.get(flag)]
    if topics:
        say("subscription", "set", product, "--topic", ",".join(topics), "--group", ",".join(answer["ConsumerGroupIds"]))


print("set -e")
groups()
for product_key in sys.argv[1:]:
    product_of(product_key)
    devices(product_key)
    subscription(product_key)
