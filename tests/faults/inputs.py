"""Requests and packets with bytes changed, left out, doubled or put in, while a healthy device is called."""

import asyncio
import random
import struct

from common import SYNC, Healthy, Wrong
from mqtt import connect_packet, packet, text
from server import PRODUCT, Site, signed_path

INPUTS, INPUTS_QUICK = 100_000, 3_000
AT_ONCE = 32
WITHIN_S = 5
# Of these HTTP and MQTT are made.
TELLING = [b"\0", b"\xff", b"\r\n", b"\r\n\r\n", b"%", b"%00", b"&", b"=", b":", b"/", b"#", b"+", b"{", b"}", b'"', b"9" * 20]


def mutated_bytes(random_, whole):
    """One to eight changes."""
    changed = bytearray(whole)
    for _ in range(random_.randrange(1, 9)):
        at, way = random_.randrange(len(changed) + 1), random_.randrange(5)
        if way == 0 and at < len(changed):
            changed[at] = random_.randrange(256)
        elif way == 1:
            del changed[at : at + random_.randrange(1, 40)]
        elif way == 2:
            changed[at:at] = random_.choice(TELLING)
        elif way == 3:
            changed[at:at] = changed[at : at + random_.randrange(1, 200)]
        elif at < len(changed):
            changed[at] ^= 1 << random_.randrange(8)
        if not changed:
            changed = bytearray(b"\0")
    return bytes(changed)


def requests():
    """What applications send: both places of parameters, and an action of each kind."""
    invoke = {"ProductKey": PRODUCT, "DeviceName": "victim", "Identifier": SYNC[0], "Args": SYNC[1]}
    for action, params in (("InvokeThingService", invoke), ("QueryDeviceDetail", {"ProductKey": PRODUCT, "DeviceName": "victim"})):
        path = signed_path(action, **params)
        yield f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
        form = path[2:]
        yield (
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n{form}"
        ).encode()
    yield (
        "POST /?ProductKey=a HTTP/1.1\r\nHost: localhost\r\nx-acs-action: InvokeThingService\r\nx-acs-version: 2018-01-20\r\n"
        "x-acs-date: 2026-01-02T03:04:05Z\r\nx-acs-signature-nonce: 1\r\nx-acs-content-sha256: e3b0\r\n"
        "Authorization: ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-date,Signature=00\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nArgs=\r\n0\r\n\r\n"
    ).encode()


def conversations(secret):
    """What devices send: a login, a SUBSCRIBE, answers on every topic."""
    own, connect = f"/sys/{PRODUCT}/victim", connect_packet("victim", secret)
    subscribe = packet(0x82, struct.pack(">H", 1) + text(f"{own}/#") + b"\1")
    for topic in (f"{own}/thing/service/testFb:testService_reply", f"{own}/rrpc/response/1", f"/ext/rrpc/1{own}/thing/service/a"):
        for told in ('{"id":"1","code":200,"data":{}}', '{"id":1,"code":"200","data":[],"message":null}'):
            yield connect + subscribe + packet(0x32, text(topic) + struct.pack(">H", 7) + told.encode()) + packet(0xC0, b"")
    version5 = connect.replace(text("MQTT") + b"\4", text("MQTT") + b"\5")
    yield version5 + packet(0xE0, b"")


async def sent(address, whole):
    """Sends it, and reads until there is an answer or the end."""
    try:
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(whole)
                writer.write_eof()
                await reader.read()
            finally:
                writer.close()
    except (ConnectionError, TimeoutError):
        pass


async def all_sent(address, seeds, count, random_):
    left = iter(range(count))

    async def some():
        for _ in left:
            await sent(address, mutated_bytes(random_, random_.choice(seeds)))

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def mutated(run):
    # With a seed of its own each time; it is told, so that a run can be repeated.
    seed = random.randrange(2**32)
    random_, count = random.Random(seed), run.times(INPUTS, INPUTS_QUICK)
    site = Site(run.program)
    try:
        secrets = site.register(["healthy", "victim"])
        healthy = Healthy(site, secrets["healthy"])
        async with healthy.called():
            await all_sent(site.server.address("api"), list(requests()), count, random_)
            await all_sent(site.server.address("mqtt"), list(conversations(secrets["victim"])), count, random_)
        told = healthy.all_answered()
        if site.server.child.poll() is not None:
            raise Wrong("the server ended")
        panics = [line for line in open(site.server.log.name) if "panicked" in line]
        if panics:
            raise Wrong(f"seed {seed}: {len(panics)} panics, the first: {panics[0][:300]}")
    except Wrong as problem:
        raise Wrong(f"seed {seed}: {problem}") from None
    finally:
        site.stop()
    return f"{count} requests and {count} MQTT conversations (seed {seed}); {told}"
