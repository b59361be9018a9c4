"""A disk that is full, and one that fails."""

import asyncio
import contextlib
import os
import subprocess
import tempfile

from common import ASYNC, Healthy, Wrong, asked, called, lost_of, wait_for
from server import Site

SIZE_MIB = 12
ACCEPTED_EACH_TIME = 20


@contextlib.contextmanager
def small_file_system():
    folder = tempfile.mkdtemp(prefix="thingcall-faults-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def fill(folder):
    """Takes all that is free."""
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)


def free(folder):
    os.remove(os.path.join(folder, "filler"))


async def accept_some(site, accepted):
    """Asynchronous calls that must be accepted."""
    for _ in range(ACCEPTED_EACH_TIME):
        answer = await called(site.server.address("api"), "away", ASYNC)
        if not (answer and answer.get("Success")):
            raise Wrong(f"an asynchronous call on a store that can write: {answer}")
        accepted.append(answer["Data"]["MessageId"])


async def until_refused(site, accepted):
    """Calls until the store cannot take one; what its caller was told."""
    for _ in range(20_000):
        answer = await called(site.server.address("api"), "away", ASYNC)
        if not (answer and answer.get("Success")):
            return answer
        accepted.append(answer["Data"]["MessageId"])
    raise Wrong("20,000 asynchronous calls were accepted on a store that cannot write")


def told_the_store(answer):
    if answer is None or "store" not in answer.get("ErrorMessage", ""):
        raise Wrong(f"the caller is not told that the store cannot write: {answer}")


async def readiness(site, status):
    async def seen():
        return (await asked(site, "/readyz"))[0] == status

    return await wait_for(seen, f"/readyz says {status}")


async def broken_and_mended(site, accepted, breaks, mends, kill):
    """Once round: break it, be refused, be told, mend it, be served."""
    await accept_some(site, accepted)
    breaks()
    told_the_store(await until_refused(site, accepted))
    await readiness(site, 503)
    register = await asyncio.to_thread(registered, site)
    if register:
        raise Wrong("a device was registered on a store that cannot write")
    if kill:
        # It cannot start while the disk is full; what it acknowledged must be there once it is mended.
        site.server.kill()
    mends()
    if kill:
        site.server = site.start()
        site.broker = site.server.address("mqtt")
    took = await readiness(site, 200)

    async def accepts():
        answer = await called(site.server.address("api"), "away", ASYNC)
        if answer and answer.get("Success"):
            accepted.append(answer["Data"]["MessageId"])
            return True
        return False

    await wait_for(accepts, "asynchronous calls are accepted again")
    return took


def registered(site):
    try:
        site.register([f"new-{os.urandom(4).hex()}"])
    except (KeyError, OSError):
        return False
    return True


async def rounds(site, times, breaks, mends):
    accepted, longest = [], 0.0
    try:
        secrets = site.register(["healthy", "away"])
        healthy = Healthy(site, secrets["healthy"])
        async with healthy.called():
            for _ in range(times):
                longest = max(longest, await broken_and_mended(site, accepted, breaks, mends, kill=False))
        told = healthy.all_answered()
        for _ in range(times):
            await broken_and_mended(site, accepted, breaks, mends, kill=True)
        lost = await asyncio.to_thread(lost_of, site, accepted)
        if lost:
            raise Wrong(f"{len(lost)} of {len(accepted)} acknowledged calls are lost, {lost[0]} among them")
    finally:
        site.stop()
    return (
        f"{times} times, and {times} times with SIGKILL meanwhile; {len(accepted)} calls acknowledged, 0 lost; "
        f"ready again after {longest:.1f} s at most; {told}"
    )


async def full(run):
    settings = {"STORE__OUTBOX_CALLS_PER_DEVICE_MAX": "100000"}
    with small_file_system() as folder:
        site = Site(run.program, settings, data=os.path.join(folder, "data"))
        return await rounds(site, run.times(5, 2), lambda: fill(folder), lambda: free(folder))


async def eio(run):
    with tempfile.TemporaryDirectory(prefix="thingcall-faults-") as folder:
        flag = os.path.join(folder, "failing")
        os.environ["EIO_WHILE"] = flag
        settings = {"STORE__OUTBOX_CALLS_PER_DEVICE_MAX": "100000"}
        site = Site(run.program, settings, data=os.path.join(folder, "data"), preload=run.eio)
        return await rounds(site, run.times(5, 2), lambda: open(flag, "w").close(), lambda: os.remove(flag))
