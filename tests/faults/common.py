"""What all faults share: a healthy device that goes on being called, and how calls ended."""

import asyncio
import contextlib
import json
import subprocess
import time
from collections import Counter

from caller import Caller
from mqtt import Device
from server import signed_path

SYNC, ASYNC = ("testFb:testService", '{"param1":1}'), ("testFb:resetLater", '{"delay":1.0}')
ANSWER_WITHIN_S = 15
HEALED_WITHIN_S = 30


class Wrong(Exception):
    """What must not have happened."""


class Run:
    """One run of the faults: the program, and how often each is made."""

    def __init__(self, program, eio, quick):
        self.program, self.eio, self.quick = program, eio, quick

    def times(self, full, quick):
        return quick if self.quick else full


async def called(api, device, what, **params):
    """One call on a connection of its own; what it was answered, or None if the connection broke."""
    caller = Caller(api)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await caller.send(device, *what, **params)
            return await caller.answer()
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    except TimeoutError:
        raise Wrong(f"no answer within {ANSWER_WITHIN_S} s") from None
    finally:
        if caller.writer:
            caller.writer.close()


class Healthy:
    """A device that answers, called again and again; how each call ended, and how long the slowest took."""

    def __init__(self, site, secret, name="healthy"):
        self.site, self.secret, self.name = site, secret, name
        self.ended, self.slowest_s, self.codes = Counter(), 0.0, Counter()

    async def answers(self):
        device = await Device.connect(self.site.broker, self.name, self.secret)
        if self.site.mosquitto:
            await device.subscribe(self.name)
        await device.answer()

    async def calls(self):
        caller = Caller(self.site.server.address("api"))
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    await caller.send(self.name, *SYNC)
                    answer = await caller.answer()
                self.ended["answered" if answer.get("Success") else answer["Code"].split(".")[-1]] += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                caller.writer = None
                self.ended["broken connection"] += 1
            except TimeoutError:
                caller.writer = None
                self.ended["no answer"] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def called(self):
        """Is connected and called while the block runs."""
        tasks = [asyncio.create_task(self.answers())]
        await wait_for(lambda: is_online(self.site, self.name), "the healthy device is connected")
        tasks.append(asyncio.create_task(self.calls()))
        try:
            yield self
            for task in tasks:
                if task.done():
                    raise Wrong(f"the healthy device ended: {task.exception()!r}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def all_answered(self):
        if set(self.ended) != {"answered"}:
            raise Wrong(f"calls of a healthy device: {dict(self.ended)}")
        return f"{self.ended['answered']} calls of a healthy device, all answered, the slowest in {self.slowest_s:.2f} s"


async def is_online(site, name):
    answer = await called(site.server.address("api"), name, SYNC)
    return bool(answer and answer.get("Success"))


async def wait_for(happened, what, within_s=HEALED_WITHIN_S):
    """Waits until it happened; says how long that took."""
    began = time.monotonic()
    while True:
        found = happened()
        if await found if asyncio.iscoroutine(found) else found:
            return time.monotonic() - began
        if time.monotonic() - began > within_s:
            raise Wrong(f"not within {within_s} s: {what}")
        await asyncio.sleep(0.05)


async def asked(site, path, within_s=5):
    """Status and text of a GET on the operator's listener."""
    async with asyncio.timeout(within_s):
        reader, writer = await asyncio.open_connection(*site.server.address("metrics"))
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        text = (await reader.read()).decode()
        writer.close()
        head, _, body = text.partition("\r\n\r\n")
        return int(head.split()[1]), body


def explained(site, message_id):
    """The record of an asynchronous call."""
    command = [site.program, "explain", message_id, "--json", "--data", site.data]
    found = subprocess.run(command, capture_output=True, text=True)
    return json.loads(found.stdout) if found.returncode == 0 else None


def lost_of(site, accepted):
    """Those of the accepted calls that the store does not know."""
    return [message_id for message_id in accepted if explained(site, message_id) is None]


__all__ = ["ASYNC", "SYNC", "Healthy", "Run", "Wrong", "asked", "called", "explained", "lost_of", "signed_path", "wait_for"]
