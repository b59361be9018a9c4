"""Resident bytes of each caller's connection: open and idle, and with a call that waits for its device."""

import argparse
import asyncio

from caller import Caller
from mqtt import Device
from server import Site, all_files

CONNECTING = 100
SETTINGS = {"ENGINE__REPLY_TIMEOUT": "60s", "API__HEADER_READ_TIMEOUT": "600s"}


async def measured(site, secrets, count):
    """Bytes of each open connection, and of each once its call waits."""
    resident = lambda: asyncio.to_thread(site.server.settled)
    before = await resident()
    devices = {name: await Device.connect(site.server.address("mqtt"), name, secrets[name]) for name in secrets}
    answering = [asyncio.create_task(device.answer(echo=name == "answers")) for name, device in devices.items()]
    callers = [Caller(site.server.address("api")) for _ in range(count)]
    free = asyncio.Semaphore(CONNECTING)

    async def answered(caller):
        async with free:
            await caller.send("answers", "testFb:testService", '{"param1":1}')
            told = await caller.answer()
            assert told["Success"], told

    await asyncio.gather(*(answered(caller) for caller in callers))
    idle = await resident()
    for caller in callers:
        await caller.send("silent", "testFb:testService", '{"param1":1}')
    while (pending := await asyncio.to_thread(site.metric, "thingcall_pending_calls")) < count:
        await asyncio.sleep(0.2)
    waiting = await asyncio.to_thread(site.server.resident)
    assert pending == count, pending
    for caller in callers:
        caller.hang_up(politely=True)
    for task in answering:
        task.cancel()
    await asyncio.gather(*answering, return_exceptions=True)
    return (idle - before) / count, (waiting - before) / count


def main():
    parser = argparse.ArgumentParser(prog="tests/memory/run callers")
    parser.add_argument("--program", required=True)
    parser.add_argument("--callers", type=int, default=5_000)
    args = parser.parse_args()
    all_files()
    site = Site(args.program, SETTINGS)
    try:
        secrets = site.register(["answers", "silent"])
        idle, waiting = asyncio.run(measured(site, secrets, args.callers))
        print(f"{args.callers} callers: {idle:,.0f} bytes each with an idle connection, {waiting:,.0f} once a call waits")
    finally:
        site.stop()


main()
