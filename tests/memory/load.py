"""Devices and callers that go on for ever, and end calls in every way there is."""

import asyncio
import random
from collections import Counter

from caller import Caller
from mqtt import Device

# How many of each. Together they make at most some 350 calls a second.
SILENT, ANSWERING, RECONNECTING = 20, 20, 20
CALL_SILENT, HANG_UP, CALL_ANSWERING, CALL_RECONNECTING, CALL_ASYNC = 20, 20, 20, 4, 4
HANG_UP_WITHIN_S, CONNECTED_FOR_S = 1.0, 2.0
PAUSE_S = 0.1
ANSWER_WITHIN_S = 20
# How calls and connections must have ended, and in no other way. Of who is away Mosquitto tells nothing.
OUTCOMES = {"answered", "hung up", "connected", "TIMEOUT", "asynchronous: answered"}
OUTCOMES_EMBEDDED = OUTCOMES | {"OFFLINE"}
# May come as well: an asynchronous call is in the store before it is answered, or the store did not say so in time.
STORE_SILENT = "the store did not answer within"
OUTCOMES_OF_A_BUSY_DISK = {"asynchronous: TIMEOUT", f"asynchronous: {STORE_SILENT}"}

NAMES = [
    f"{kind}-{number}"
    for kind, count in (("silent", SILENT), ("answering", ANSWERING), ("reconnecting", RECONNECTING))
    for number in range(count)
]


def how(answer):
    """How a call ended, in a word or two."""
    if answer.get("Success"):
        return "answered"
    return STORE_SILENT if STORE_SILENT in answer["ErrorMessage"] else answer["Code"].split(".")[-1]


class Load:
    """Everything that goes on at once, and how often it ended how."""

    def __init__(self, site, secrets):
        self.site, self.secrets, self.ended = site, secrets, Counter()
        self.api = site.server.address("api")

    async def connect(self, name):
        device = await Device.connect(self.site.broker, name, self.secrets[name])
        if self.site.mosquitto:
            await device.subscribe(name)
        self.ended["connected"] += 1
        return device

    async def stays(self, name, echo):
        await (await self.connect(name)).answer(echo)

    async def reconnects(self, name):
        """Comes and goes: politely, with a reset, or by connecting again while it is connected."""
        old = None
        while True:
            device = await self.connect(name)
            if old:
                old.writer.close()
                old = None
            try:
                async with asyncio.timeout(random.uniform(0, CONNECTED_FOR_S)):
                    await device.answer()
            except TimeoutError:
                pass
            way = random.randrange(3)
            if way == 0:
                old = device
            else:
                device.leave(politely=way == 1)

    async def calls(self, kind, count, pause_s, service="testFb:testService", arguments='{"param1":1}', told=""):
        """Calls one of the devices of a kind after the other, and waits for what comes of it."""
        caller = Caller(self.api)
        while True:
            await caller.send(f"{kind}-{random.randrange(count)}", service, arguments)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await caller.answer()
            ended = told + how(answer)
            if ended not in OUTCOMES_EMBEDDED | OUTCOMES_OF_A_BUSY_DISK:
                print(f"{ended}: {answer}", flush=True)
            self.ended[ended] += 1
            await asyncio.sleep(pause_s)

    async def hangs_up(self):
        caller = Caller(self.api)
        while True:
            await caller.send(f"silent-{random.randrange(SILENT)}", "testFb:testService", '{"param1":1}')
            await asyncio.sleep(random.uniform(0, HANG_UP_WITHIN_S))
            caller.hang_up(politely=random.random() < 0.5)
            self.ended["hung up"] += 1

    def all(self):
        """Each of them; none ends by itself, so one that does has found something wrong."""
        yield from (self.stays(f"silent-{n}", echo=False) for n in range(SILENT))
        yield from (self.stays(f"answering-{n}", echo=True) for n in range(ANSWERING))
        yield from (self.reconnects(f"reconnecting-{n}") for n in range(RECONNECTING))
        yield from (self.calls("silent", SILENT, 0) for _ in range(CALL_SILENT))
        yield from (self.calls("answering", ANSWERING, PAUSE_S) for _ in range(CALL_ANSWERING))
        yield from (self.calls("reconnecting", RECONNECTING, PAUSE_S) for _ in range(CALL_RECONNECTING))
        later = ("testFb:resetLater", '{"delay":1.0}', "asynchronous: ")
        yield from (self.calls("reconnecting", RECONNECTING, PAUSE_S, *later) for _ in range(CALL_ASYNC))
        yield from (self.hangs_up() for _ in range(HANG_UP))
