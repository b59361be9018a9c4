"""A wire between an instance and a server, which can be cut and mended."""

import asyncio
import contextlib


class Wire:
    """Carries connections to a port. While it is cut, those that are there stand still, as when a cable is pulled, and new
    ones are not taken."""

    def __init__(self, port):
        self.far, self.whole = port, asyncio.Event()
        self.whole.set()
        self.carrying = set()

    async def start(self):
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def cut(self):
        self.whole.clear()

    def mend(self):
        """Connections of before end: the other side has given them up, or will be told."""
        for task in list(self.carrying):
            task.cancel()
        self.whole.set()

    async def _carry(self, reader, writer):
        task = asyncio.current_task()
        self.carrying.add(task)
        try:
            await self.whole.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.far)
            try:
                await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.carrying.discard(task)
            writer.close()

    async def _copy(self, reader, writer):
        while data := await reader.read(65536):
            await self.whole.wait()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    def close(self):
        for task in list(self.carrying):
            task.cancel()
        self.server.close()
