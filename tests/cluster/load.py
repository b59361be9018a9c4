"""Devices that note what they get, and callers that note what they are told."""

import asyncio
import hashlib
import hmac
import json
import struct
from collections import defaultdict

from mqtt import KEEP_ALIVE_S, Device, packet, text
from server import signed_path

ANSWER_WITHIN_S = 20
# Some asynchronous calls are answered late, so that each instance has open ones whenever it dies.
LATE_ONE_IN, LATE_S = 10, 8
SYNC, ASYNC = "testFb:testService", "testFb:resetLater"


class Noting:
    """A device with a session that its broker keeps. It notes the ids under which each token came, and answers at QoS 1:
    what its broker did not acknowledge is sent again on the next connection."""

    def __init__(self, product, name, secret, address, user=None):
        self.product, self.name, self.secret, self.address, self.user = product, name, secret, address, user
        self.got = defaultdict(list)
        self.connected, self.device = asyncio.Event(), None
        self.unacknowledged, self.packets = {}, 0

    async def stays(self):
        while True:
            try:
                device = self.device = await self._connect()
                self.connected.set()
                for message in self.unacknowledged.values():
                    device.writer.write(bytes([message[0] | 0x08]) + message[1:])
                while True:
                    self._take(device, *await device.read())
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                self.connected.clear()
                await asyncio.sleep(0.2)

    async def _connect(self):
        reader, writer = await asyncio.open_connection(*self.address)
        device = Device(reader, writer)
        client_id = f"{self.product}.{self.name}|securemode=3,signmethod=hmacsha256,ext=1|"
        told = f"clientId{self.product}.{self.name}deviceName{self.name}productKey{self.product}"
        password = hmac.new(self.secret.encode(), told.encode(), hashlib.sha256).hexdigest()
        user, password = self.user or (f"{self.name}&{self.product}", password)
        head = text("MQTT") + bytes([4, 0xC0]) + struct.pack(">H", min(KEEP_ALIVE_S, 60))
        writer.write(packet(0x10, head + text(client_id) + text(user) + text(password)))
        async with asyncio.timeout(30):
            kind, body = await device.read()
            if kind != 0x20 or body[1] != 0:
                writer.close()
                raise ConnectionError(f"{self.name} is refused: {body.hex()}")
            own = f"/sys/{self.product}/{self.name}"
            filters = [f"{own}/thing/service/+", f"{own}/rrpc/request/+", f"/ext/rrpc/+{own}/#"]
            writer.write(packet(0x82, struct.pack(">H", 1) + b"".join(text(one) + b"\1" for one in filters)))
            # What waited for it may come before the SUBACK.
            while (found := await device.read())[0] != 0x90:
                self._take(device, *found)
        return device

    def _take(self, device, kind, body):
        if kind == 0x40:
            self.unacknowledged.pop(struct.unpack(">H", body[:2])[0], None)
        if kind & 0xF0 != 0x30:
            return
        length = struct.unpack_from(">H", body)[0]
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if kind & 0x06:
            device.writer.write(packet(0x40, rest[:2]))
            rest = rest[2:]
        asked = json.loads(rest)
        # Its own answers come back to it: they are on the topics of its calls.
        if "params" not in asked:
            return
        self.got[asked["params"]["token"]].append(asked["id"])
        told = json.dumps({"id": asked["id"], "code": 200, "data": asked["params"]})
        answer = topic.replace("/rrpc/request/", "/rrpc/response/") if "/rrpc/" in topic else f"{topic}_reply"
        if "/rrpc/" not in topic and int(asked["params"]["token"][1:]) % LATE_ONE_IN == 0:
            asyncio.get_running_loop().call_later(LATE_S, self._answer, answer, told)
        else:
            self._answer(answer, told, device)

    def _answer(self, topic, told, device=None):
        self.packets = self.packets % 0xFFFF + 1
        message = packet(0x32, text(topic) + struct.pack(">H", self.packets) + told.encode())
        self.unacknowledged[self.packets] = message
        if device or self.connected.is_set():
            (device or self.device).writer.write(message)


class Told:
    """What a caller was told of one call."""

    def __init__(self, device, mode):
        self.device, self.mode = device, mode
        self.what, self.message_id, self.text = "nothing", None, ""

    def take(self, answer, token):
        if answer is None:
            self.what = "broken connection"
        elif answer.get("Success") and self.mode == ASYNC:
            self.what, self.message_id = "accepted", answer["Data"]["MessageId"]
        elif answer.get("Success"):
            data = json.loads(answer["Data"]["Result"])["data"]
            self.what, self.message_id = "answered", answer["Data"]["MessageId"]
            if data != {"token": token}:
                self.what, self.text = "another call's answer", json.dumps(answer)
        else:
            self.what, self.text = answer["Code"].split(".")[-1], answer.get("ErrorMessage") or answer.get("Message", "")


class Callers:
    """Calls through the balancer at a rate."""

    def __init__(self, port, devices, per_second):
        self.address, self.devices, self.every_s = ("127.0.0.1", port), devices, 1 / per_second
        self.told, self.running, self.over = {}, set(), False

    async def call(self):
        """Until it is over."""
        loop, number = asyncio.get_running_loop(), 0
        due = loop.time()
        while not self.over:
            number += 1
            task = asyncio.create_task(self._one(number))
            self.running.add(task)
            task.add_done_callback(self._done)
            due = max(due + self.every_s, loop.time() - 1)
            await asyncio.sleep(max(0, due - loop.time()))
        while self.running:
            await asyncio.sleep(0.1)

    def _done(self, task):
        self.running.discard(task)
        task.result()

    async def _one(self, number):
        device = self.devices[number % len(self.devices)]
        mode = SYNC if number // len(self.devices) % 2 else ASYNC
        token = f"t{number}"
        told = self.told[token] = Told(device, mode)
        told.take(await self._answer(device, mode, token), token)

    async def _answer(self, device, mode, token):
        writer = None
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_connection(*self.address)
                path = signed_path(
                    "InvokeThingService", ProductKey=device.product, DeviceName=device.name, Identifier=mode,
                    Args=json.dumps({"token": token}), **({"Qos": 1} if mode == ASYNC else {}),
                )
                writer.write(f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
                return json.loads(await reader.readexactly(int(length.split(":")[1])))
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
            return None
        finally:
            if writer:
                writer.close()
