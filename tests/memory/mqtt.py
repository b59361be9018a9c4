"""As much MQTT 3.1.1 as these devices need, over asyncio."""

import asyncio
import hashlib
import hmac
import json
import struct

from server import PRODUCT, reset

KEEP_ALIVE_S = 1200
PATIENCE_S = 30


def text(value):
    value = value.encode()
    return struct.pack(">H", len(value)) + value


def packet(kind, body):
    length, head = len(body), bytearray([kind])
    while True:
        length, digit = divmod(length, 128)
        head.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def connect_packet(name, secret):
    """A CONNECT with the device's credentials, as the official SDKs make them."""
    client_id = f"{name}|securemode=3,signmethod=hmacsha256,ext=1|"
    told = f"clientId{name}deviceName{name}productKey{PRODUCT}"
    password = hmac.new(secret.encode(), told.encode(), hashlib.sha256).hexdigest()
    head = text("MQTT") + bytes([4, 0xC2]) + struct.pack(">H", KEEP_ALIVE_S)
    return packet(0x10, head + text(client_id) + text(f"{name}&{PRODUCT}") + text(password))


class Device:
    """A connected device."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, address, name, secret):
        reader, writer = await asyncio.open_connection(*address)
        device = cls(reader, writer)
        writer.write(connect_packet(name, secret))
        async with asyncio.timeout(PATIENCE_S):
            kind, body = await device.read()
        if kind != 0x20 or body[1] != 0:
            writer.close()
            raise ConnectionError(f"{name} is refused: {body.hex()}")
        return device

    async def subscribe(self, name):
        """To the topics of its calls; the embedded broker sends them without."""
        own = f"/sys/{PRODUCT}/{name}"
        filters = [f"{own}/thing/service/+", f"{own}/rrpc/request/+", f"/ext/rrpc/+{own}/#"]
        body = struct.pack(">H", 1) + b"".join(text(one) + b"\1" for one in filters)
        self.writer.write(packet(0x82, body))
        async with asyncio.timeout(PATIENCE_S):
            kind, _ = await self.read()
        assert kind == 0x90, "a SUBACK"

    async def read(self):
        """The next packet: its first byte, and the rest."""
        kind = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            digit = (await self.reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return kind, await self.reader.readexactly(length)

    async def answer(self, echo=True):
        """Takes calls, and answers each with what it was sent (or nothing), until the connection ends."""
        while True:
            kind, body = await self.read()
            if kind & 0xF0 != 0x30:
                continue
            length = struct.unpack_from(">H", body)[0]
            topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
            if kind & 0x06:
                self.writer.write(packet(0x40, rest[:2]))
                rest = rest[2:]
            asked = json.loads(rest)
            # Behind Mosquitto its own answers come back to it: they are on the topics of its calls.
            if not echo or "params" not in asked:
                continue
            told = json.dumps({"id": asked["id"], "code": 200, "data": asked["params"]})
            topic = topic if topic.startswith("/ext/rrpc/") else f"{topic}_reply"
            self.writer.write(packet(0x30, text(topic) + told.encode()))

    def leave(self, politely):
        """Ends the connection with a DISCONNECT, or with a reset."""
        if politely:
            self.writer.write(packet(0xE0, b""))
        else:
            reset(self.writer)
        self.writer.close()
