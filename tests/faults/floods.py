"""Peers that make the server write log, or hold memory."""

import asyncio
import os
import struct
import urllib.parse

from common import Healthy, Wrong
from mqtt import packet, text
from server import KEY, Site, signed_path

LOG_S, LOG_CONNECTIONS = 10, 16
LOG_BYTES_A_SECOND_MAX = 64 * 1024
LONG = "x" * 60_000
FORMS, FORM_BYTES = 60, 2 * 1024 * 1024 - 4096
BODIES = 300
# Three times what unauthenticated bodies may hold (`unauthenticated_bytes_max`).
MEMORY_BYTES_MAX = 192 * 2**20
HELD_S = 5


def refused_login():
    """A CONNECT with a user name as long as MQTT takes."""
    head = text("MQTT") + bytes([4, 0xC2]) + struct.pack(">H", 60)
    return packet(0x10, head + text("a|securemode=3,signmethod=hmacsha256|") + text(LONG) + text("00"))


def refused_request():
    """With a key that is not there and long everything."""
    path = f"/?Action=InvokeThingService&AccessKeyId={LONG[:20_000]}%0A&SignatureNonce=1&Identifier={LONG[:20_000]}"
    return f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()


async def send(address, sent, counts):
    """One after the other, each on a connection of its own."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(sent)
            await reader.read()
            writer.close()
            counts[address] += 1
        except ConnectionResetError:
            # Refused before all of it was read: larger than a packet may be.
            counts[address] += 1
        except OSError:
            await asyncio.sleep(0)


async def log(run):
    site = Site(run.program)
    seconds = run.times(LOG_S, 4)
    mqtt, api = site.server.address("mqtt"), site.server.address("api")
    counts = {mqtt: 0, api: 0}
    try:
        healthy = Healthy(site, site.register(["healthy"])["healthy"])
        async with healthy.called():
            before = os.path.getsize(site.server.log.name)
            floods = [(mqtt, refused_login()), (api, refused_request())] * LOG_CONNECTIONS
            flood = [asyncio.create_task(send(address, sent, counts)) for address, sent in floods]
            await asyncio.sleep(seconds)
            written = os.path.getsize(site.server.log.name) - before
            for task in flood:
                task.cancel()
            await asyncio.gather(*flood, return_exceptions=True)
        told = healthy.all_answered()
    finally:
        site.stop()
    a_second = written / seconds
    if a_second > LOG_BYTES_A_SECOND_MAX:
        raise Wrong(f"{a_second:,.0f} bytes of log a second; {LOG_BYTES_A_SECOND_MAX:,} are allowed")
    if 0 in counts.values():
        raise Wrong(f"the flood did not run: {counts}")
    return f"{counts[mqtt]} refused logins with a user name of 60,000 bytes and {counts[api]} refused requests in {seconds} s: {a_second:,.0f} bytes of log a second; {told}"


async def unread_form(site):
    """A signed form as large as is allowed, with a signature that is wrong, from a client that does not read."""
    reader, writer = await asyncio.open_connection(*site.server.address("api"))
    # asyncio stops reading from the socket once its buffer has twice this.
    reader._limit = 1024  # noqa: SLF001
    signed = signed_path("InvokeThingService", ProductKey="a", DeviceName="b", Identifier="c")
    query = urllib.parse.urlparse(signed).query.replace("Signature=", "Signature=0")
    body = f"{query}&Args=".encode()
    body += b"%7B" * ((FORM_BYTES - len(body)) // 3)
    head = f"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    try:
        await writer.drain()
    except OSError:
        pass
    return writer


async def unfinished_body(site):
    """A body without any key, all of it but the last byte."""
    _, writer = await asyncio.open_connection(*site.server.address("api"))
    head = f"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {FORM_BYTES}\r\n\r\n"
    writer.write(head.encode() + b"Args=" + b"a" * (FORM_BYTES - 6))
    try:
        await writer.drain()
    except OSError:
        pass
    return writer


async def held(site, opens, count):
    """The most resident memory while so many connections are held; each may be refused, none may be kept waiting."""

    async def one():
        try:
            async with asyncio.timeout(HELD_S):
                return await opens(site)
        except (OSError, TimeoutError):
            return None

    opening = asyncio.gather(*(one() for _ in range(count)))
    most = 0
    for _ in range(HELD_S * 20):
        most = max(most, site.server.resident())
        await asyncio.sleep(0.05)
    for writer in await opening:
        if writer:
            writer.close()
    return most


async def memory(run):
    site = Site(run.program)
    try:
        healthy = Healthy(site, site.register(["healthy"])["healthy"])
        async with healthy.called():
            before = site.server.resident()
            figures = {
                f"{FORMS} forms of 2 MiB with the known key {KEY}, unread": await held(site, unread_form, FORMS),
                f"{BODIES} unfinished bodies of 2 MiB without a key": await held(site, unfinished_body, BODIES),
            }
        told = healthy.all_answered()
    finally:
        site.stop()
    shown = "; ".join(f"{what}: {(most - before) / 2**20:.0f} MiB more" for what, most in figures.items())
    if max(figures.values()) - before > MEMORY_BYTES_MAX:
        raise Wrong(f"{shown}; {MEMORY_BYTES_MAX / 2**20:.0f} MiB are allowed")
    return f"{shown} than {before / 2**20:.0f} MiB; {told}"
