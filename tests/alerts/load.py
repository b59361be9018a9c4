"""Devices and callers: those that are well all the time, and those that a fault brings."""

import asyncio
import contextlib
import json
import struct

from caller import Caller
from common import ANSWER_WITHIN_S, ASYNC, SYNC, Wrong, wait_for
from mqtt import Device, packet, text

CALLS_EVERY_S = 0.05


async def answers_after(site, name, secret, seconds):
    """A device that takes so long for each call, or for ever."""
    device = await Device.connect(site.broker, name, secret)

    async def answer(topic, asked):
        await asyncio.sleep(seconds)
        told = json.dumps({"id": asked["id"], "code": 200, "data": asked["params"]})
        where = topic if topic.startswith("/ext/rrpc/") else f"{topic}_reply"
        device.writer.write(packet(0x30, text(where) + told.encode()))

    # It ends with all that it has in hand.
    async with asyncio.TaskGroup() as answers:
        while True:
            kind, body = await device.read()
            if kind & 0xF0 != 0x30 or seconds is None:
                continue
            length = struct.unpack_from(">H", body)[0]
            topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
            answers.create_task(answer(topic, json.loads(rest[2:] if kind & 0x06 else rest)))


async def calls(site, name, what=SYNC):
    """One call after the other, whatever they are answered, also over a server's end."""
    caller = Caller(site.server.address("api"))
    while True:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await caller.send(name, *what)
                await caller.answer()
        except (OSError, EOFError, TimeoutError):
            caller = Caller(site.server.address("api"))
        await asyncio.sleep(CALLS_EVERY_S)


async def stays(site, name, secret, seconds=0.0):
    """A device that comes back whenever its connection ends."""
    while True:
        with contextlib.suppress(OSError, EOFError, TimeoutError, AssertionError, ExceptionGroup):
            if site.mosquitto:
                device = await Device.connect(site.broker, name, secret)
                await device.subscribe(name)
                await device.answer()
            else:
                await answers_after(site, name, secret, seconds)
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def going_on(*all_of_them):
    """These go on while the block runs; none may end."""
    tasks = [asyncio.create_task(one) for one in all_of_them]
    try:
        yield
        for task in tasks:
            if task.done():
                raise Wrong(f"the load ended: {task.exception()!r}")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def connect_all(site, secrets):
    """All of these devices, connected at once."""
    return await asyncio.gather(*(Device.connect(site.broker, name, secret) for name, secret in secrets.items()))


def leave_all(devices):
    for device in devices:
        device.leave(politely=True)


__all__ = ["ASYNC", "Wrong", "calls", "connect_all", "going_on", "leave_all", "stays", "wait_for"]
