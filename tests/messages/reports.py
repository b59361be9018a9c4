"""Devices that report and note what they are answered, and calls whose results are messages."""

import asyncio
import json
import random
import struct
import time
from collections import Counter, deque

from load import ASYNC, Callers, Noting, Told
from mqtt import packet, text

# What was not answered by then has no answer, and may be in the log or not.
ANSWERED_WITHIN_S = 15
UNANSWERED_MAX = 16
EVENT_ONE_IN = 4
# How many of the messages are results of calls.
CALL_ONE_IN = 10


class Reporting(Noting):
    """A device that reports, beside answering its calls."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.waiting, self.taken, self.ended = {}, [], Counter()

    async def _connect(self):
        device = await super()._connect()
        own = f"/sys/{self.product}/{self.name}/thing/event"
        device.writer.write(packet(0x82, struct.pack(">H", 2) + text(f"{own}/+/post_reply") + b"\0"))
        # Nobody answers what the connection before was asked.
        self._forget(self.waiting)
        return device

    def report(self, number):
        """Whether it could; at QoS 0, so that no broker says it twice."""
        late = time.monotonic() - ANSWERED_WITHIN_S
        self._forget([number for number, at in self.waiting.items() if at < late])
        if not self.connected.is_set() or len(self.waiting) >= UNANSWERED_MAX:
            return False
        what = "Counted" if number % EVENT_ONE_IN == 0 else "property"
        params = {"value": {"Count": number}} if what == "Counted" else {"Count": number}
        told = {"id": str(number), "version": "1.0", "params": params, "method": f"thing.event.{what}.post"}
        topic = f"/sys/{self.product}/{self.name}/thing/event/{what}/post"
        self.waiting[number] = time.monotonic()
        self.device.writer.write(packet(0x30, text(topic) + json.dumps(told).encode()))
        return True

    def _forget(self, numbers):
        for number in list(numbers):
            del self.waiting[number]
            self.ended["not answered"] += 1

    def _take(self, device, kind, body):
        length = struct.unpack_from(">H", body)[0] if kind & 0xF0 == 0x30 else 0
        if not body[2 : 2 + length].endswith(b"/post_reply"):
            return super()._take(device, kind, body)
        answer = json.loads(body[2 + length :])
        if self.waiting.pop(int(answer["id"]), None) is None:
            self.ended["answered late or twice"] += 1
        elif answer["code"] == 200:
            self.taken.append(int(answer["id"]))
        else:
            self.ended[f"answered {answer['code']}"] += 1


class AsyncCallers(Callers):
    """Asynchronous calls at a rate, each at one of the instances."""

    def __init__(self, ports, devices, per_second, seed):
        super().__init__(ports[0], devices, per_second)
        self.ports, self.chance = ports, random.Random(seed)

    async def _one(self, number):
        device, token = self.devices[number % len(self.devices)], f"t{number}"
        self.address = "127.0.0.1", self.chance.choice(self.ports)
        told = self.told[token] = Told(device, ASYNC)
        told.take(await self._answer(device, ASYNC, token), token)

    def accepted(self):
        return [told for told in self.told.values() if told.what == "accepted"]


class Reports:
    """Reports of all devices at a rate, as far as they are answered."""

    def __init__(self, devices, per_second):
        self.devices, self.every_s, self.sent, self.over = devices, 1 / per_second, 0, False

    async def report(self):
        """Until it is over."""
        loop, turns = asyncio.get_running_loop(), deque(self.devices)
        due = loop.time()
        while not self.over:
            for _ in range(len(turns)):
                turns.rotate(1)
                if turns[0].report(self.sent + 1):
                    self.sent += 1
                    break
            due = max(due + self.every_s, loop.time() - 1)
            await asyncio.sleep(max(0, due - loop.time()))

    async def answered(self):
        """Waits for the last answers."""
        until = time.monotonic() + ANSWERED_WITHIN_S
        while any(device.waiting for device in self.devices) and time.monotonic() < until:
            await asyncio.sleep(0.1)

    def taken(self, products):
        return sum(len(device.taken) for device in self.devices if device.product in products)

    def ended(self):
        return sum((device.ended for device in self.devices), Counter())
