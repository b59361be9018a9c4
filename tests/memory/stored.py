"""Bytes that the store takes for each device, call, record and message: pages of its file in use, before and after many of them."""

import argparse
import asyncio
import os
import sqlite3
import time

from caller import Caller
from mqtt import Device
from server import PRODUCT, Site

AT_ONCE = 20
SYNC, ASYNC = ("testFb:testService", '{"param1":1}'), ("testFb:resetLater", '{"delay":1.0}')
SETTINGS = {"RECORDS__KEEP": "all", "STORE__OUTBOX_CALLS_PER_DEVICE_MAX": "1000000"}
SETTLED_WITHIN_S = 60


def used(site):
    """Bytes of all pages that hold something."""
    file = os.path.join(site.data, "thingcall.db")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as store:
        pages, free, size = (store.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def settled(site):
    """The same once it does not change any more."""
    last = []
    for _ in range(SETTLED_WITHIN_S):
        last = (last + [used(site)])[-3:]
        if len(last) == 3 and len(set(last)) == 1:
            break
        time.sleep(1)
    return last[-1]


async def called(site, count, device, what, succeeds, **more):
    """So many calls, each of which must end like that."""

    async def some(number):
        caller = Caller(site.server.address("api"))
        for _ in range(number):
            await caller.send(device, *what, **more)
            answer = await caller.answer()
            if answer["Success"] != succeeds:
                raise SystemExit(f"a call of {device}: {answer}")

    await asyncio.gather(*(some(count // AT_ONCE) for _ in range(AT_ONCE)))


async def measured(site, count):
    secrets = await asyncio.to_thread(site.register, ["answers", "away-1"])
    device = await Device.connect(site.server.address("mqtt"), "answers", secrets["answers"])
    answering = asyncio.create_task(device.answer())
    steps = {
        "a device": lambda: asyncio.to_thread(site.register, [f"device-{number}" for number in range(count)]),
        "an asynchronous call, answered": lambda: called(site, count, "answers", ASYNC, True),
        "one that waits for its device": lambda: called(site, count, "away-1", ASYNC, True, Qos=1),
        "a record of a synchronous call": lambda: called(site, count, "answers", SYNC, True),
        "a record of one that failed": lambda: called(site, count, "away-1", SYNC, False),
    }
    last = await asyncio.to_thread(settled, site)
    for name, step in steps.items():
        await step()
        now = await asyncio.to_thread(settled, site)
        print(f"{name:32} {(now - last) / count:6.0f} bytes", flush=True)
        last = now
    site.command("subscription", "set", PRODUCT)
    await called(site, count, "answers", ASYNC, True)
    now = await asyncio.to_thread(settled, site)
    print(f"{'a call, and a message of its end':32} {(now - last) / count:6.0f} bytes", flush=True)
    answering.cancel()


def main():
    parser = argparse.ArgumentParser(prog="tests/memory/run stored")
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=5000)
    args = parser.parse_args()
    site = Site(args.program, SETTINGS)
    try:
        asyncio.run(measured(site, args.count))
    finally:
        site.stop()


main()
