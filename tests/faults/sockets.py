"""Connections that say nothing, more than the process may have files."""

import asyncio

from common import Healthy, Wrong, asked, is_online
from server import Site

FILES_MAX = 512
SILENT_EACH = 400
LISTENERS = ("api", "mqtt", "metrics")
HELD_S = 5


async def opened(address, count):
    """So many connections, or as many as are taken."""

    async def one():
        try:
            async with asyncio.timeout(2):
                return await asyncio.open_connection(*address)
        except (OSError, TimeoutError):
            return None

    return [pair for pair in await asyncio.gather(*(one() for _ in range(count))) if pair]


async def ready_meanwhile(site, held):
    """Asks again and again whether the server is ready."""
    try:
        for _ in range(HELD_S):
            status, text = await asked(site, "/readyz")
            if status != 200:
                raise Wrong(f"/readyz says {status} {text!r} with silent sockets: {held}")
            await asyncio.sleep(1)
    except (OSError, TimeoutError, IndexError) as problem:
        raise Wrong(f"/readyz does not answer with silent sockets: {held}: {problem!r}") from None


async def silent(run):
    site = Site(run.program, files_max=FILES_MAX)
    try:
        healthy = Healthy(site, site.register(["healthy"])["healthy"])
        async with healthy.called():
            pairs = {listener: await opened(site.server.address(listener), SILENT_EACH) for listener in LISTENERS}
            held = ", ".join(f"{len(some)} at {listener}" for listener, some in pairs.items())
            try:
                await ready_meanwhile(site, held)
                # A caller and a device that come only now.
                if not await is_online(site, "healthy"):
                    raise Wrong(f"a new caller is not answered with silent sockets: {held}")
            finally:
                for _, writer in sum(pairs.values(), []):
                    writer.close()
        told = healthy.all_answered()
    finally:
        site.stop()
    return f"{held}, held for {HELD_S} s with {FILES_MAX} files at most; /readyz 200 all the time; {told}"
