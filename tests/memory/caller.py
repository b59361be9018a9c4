"""A caller of InvokeThingService over asyncio, with a connection of its own."""

import asyncio
import json

from server import PRODUCT, reset, signed_path


class Caller:
    """A caller that keeps its connection open."""

    def __init__(self, address):
        self.address, self.reader, self.writer = address, None, None

    async def send(self, device, identifier, arguments, **more):
        if self.writer is None or self.writer.is_closing() or self.reader.at_eof():
            self.reader, self.writer = await asyncio.open_connection(*self.address)
        path = signed_path(
            "InvokeThingService", ProductKey=PRODUCT, DeviceName=device, Identifier=identifier, Args=arguments, **more
        )
        self.writer.write(f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".encode())

    async def answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
        return json.loads(await self.reader.readexactly(int(length.split(":")[1])))

    def hang_up(self, politely):
        if not politely:
            reset(self.writer)
        self.writer.close()
        self.writer = None
