"""The server killed with SIGKILL while asynchronous calls at QoS 1 are made."""

import asyncio
import json
import struct

from common import ASYNC, Wrong, called, lost_of, wait_for
from mqtt import Device, packet, text
from server import Site

DEVICES, CALLERS = 8, 4
LOAD_S = 0.4


class Collecting:
    """A device that notes the ids it is sent, and answers; it comes back whenever its connection ends."""

    def __init__(self, site, name, secret):
        self.site, self.name, self.secret, self.got = site, name, secret, {}

    async def stays(self):
        while True:
            try:
                await self.takes(await Device.connect(self.site.broker, self.name, self.secret))
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(0.05)

    async def takes(self, device):
        while True:
            kind, body = await device.read()
            if kind & 0xF0 != 0x30:
                continue
            length = struct.unpack_from(">H", body)[0]
            topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
            if kind & 0x06:
                packet_id, rest = rest[:2], rest[2:]
            message = json.loads(rest)
            self.got[message["id"]] = self.got.get(message["id"], 0) + 1
            told = json.dumps({"id": message["id"], "code": 200, "data": {}})
            device.writer.write(packet(0x30, text(f"{topic}_reply") + told.encode()))
            if kind & 0x06:
                device.writer.write(packet(0x40, packet_id))


async def calls(site, accepted):
    """Calls one device after the other until the server is gone."""
    number = 0
    while True:
        number = (number + 1) % DEVICES
        answer = await called(site.server.address("api"), f"device-{number}", ASYNC, Qos=1)
        if answer is None:
            return
        if not answer.get("Success"):
            raise Wrong(f"an asynchronous call: {answer}")
        accepted[answer["Data"]["MessageId"]] = f"device-{number}"


async def once(site, accepted):
    """Some load, and the end of it."""
    running = [asyncio.create_task(calls(site, accepted)) for _ in range(CALLERS)]
    await asyncio.sleep(LOAD_S)
    before = len(accepted)
    site.server.kill()
    for result in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(result, Wrong):
            raise result
    if before == 0:
        raise Wrong("no call was accepted before the first SIGKILL")
    site.server = await asyncio.to_thread(site.start)
    site.broker = site.server.address("mqtt")


async def under_load(run):
    # More than are made between a device's connections.
    site = Site(run.program, {"STORE__OUTBOX_CALLS_PER_DEVICE_MAX": "100000"})
    times, accepted = run.times(25, 3), {}
    try:
        secrets = site.register(f"device-{number}" for number in range(DEVICES))
        devices = {name: Collecting(site, name, secret) for name, secret in secrets.items()}
        staying = [asyncio.create_task(device.stays()) for device in devices.values()]
        for _ in range(times):
            await once(site, accepted)

        def missing():
            return [one for one, device in accepted.items() if one not in devices[device].got]

        await wait_for(lambda: not missing(), "each acknowledged call reaches its device")
        for task in staying:
            task.cancel()
        lost = await asyncio.to_thread(lost_of, site, list(accepted)[-200:])
    finally:
        site.stop()
    if lost:
        raise Wrong(f"{len(lost)} records of acknowledged calls are lost")
    again = sum(count - 1 for device in devices.values() for count in device.got.values())
    return f"{times} times; {len(accepted)} calls acknowledged, all reached their device, 0 lost; {again} came to it again (QoS 1)"
