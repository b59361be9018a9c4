"""Makes each fault, and looks which alerts fire."""

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(__file__)
sys.path[1:1] = [os.path.join(HERE, "..", "memory"), os.path.join(HERE, "..", "faults")]

import dashboards  # noqa: E402
from common import Wrong  # noqa: E402
from load import ASYNC, calls, connect_all, going_on, leave_all, stays  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from server import KEY, signed_path  # noqa: E402
from sites import SESSIONS_MAX, Disk, Hook, behind_mosquitto, with_own_broker  # noqa: E402

# Of the longest time of a rule that these faults need, and some for looking: as shipped.
FIRES_WITHIN_S = 15 * 60
DEVICES = 60
CALLERS = 32
FAULTS = {}


def fault(name, *alerts):
    """The faults by the names of the command line, with the alerts that they must have fire."""

    def named(make):
        FAULTS[name] = (set(alerts), make)
        return make

    return named


class Run:
    """The two servers under load, and the Prometheus that scrapes them."""

    def __init__(self, program, faster, folder, disk, hook):
        self.disk, self.hook, self.faster = disk, hook, faster
        self.own, self.behind = with_own_broker(program, disk, hook), behind_mosquitto(program)
        names = [f"device-{number}" for number in range(SESSIONS_MAX)] + ["healthy", "faulty"]
        self.secrets, self.others = self.own.register(names), self.behind.register(["healthy"])
        sites = {"own": self.own, "behind": self.behind}
        addresses = {name: ":".join(map(str, site.server.address("metrics"))) for name, site in sites.items()}
        self.prometheus = Prometheus(folder, faster, addresses)

    def some(self, count):
        return {name: self.secrets[name] for name in list(self.secrets)[:count]}

    async def firing(self):
        return await asyncio.to_thread(self.prometheus.firing)

    async def stays(self, wanted, what, settle_s=0.0):
        """Until just these fire; no other may meanwhile. How long that took."""
        began = time.monotonic()
        while True:
            firing = await self.firing()
            stray = firing - wanted - self.before
            if stray:
                raise Wrong(f"{what}: {sorted(stray)} fire, too; expected {sorted(wanted)}")
            if firing == wanted and time.monotonic() - began >= settle_s:
                self.before = wanted
                return time.monotonic() - began
            if time.monotonic() - began > FIRES_WITHIN_S / self.faster + 20:
                raise Wrong(f"{what}: {sorted(firing)} fire; expected {sorted(wanted)}")
            await asyncio.sleep(0.1)

    async def made(self, name):
        """One fault, from its making until all is well again."""
        alerts, make = FAULTS[name]
        async with make(self):
            if alerts:
                fired = await self.stays(alerts, name)
            else:
                fired = await self.stays(alerts, name, settle_s=600 / self.faster)
        over = await self.stays(set(), f"{name} is over")
        told = ", ".join(sorted(f"{alert}@{instance}" for alert, instance in alerts)) or "nothing fires"
        return f"{told}; after {fired:.1f} s, over after {over:.1f} s"

    before = frozenset()


@fault("calm")
@contextlib.asynccontextmanager
async def calm(run):
    """Sixty devices lose their connections and come back at once."""
    leave_all(await connect_all(run.own, run.some(DEVICES)))
    devices = await connect_all(run.own, run.some(DEVICES))
    try:
        yield
    finally:
        leave_all(devices)


@fault("broker", ("ThingcallTransportDown", "behind"))
@contextlib.asynccontextmanager
async def broker(run):
    run.behind.mosquitto.stop()
    try:
        yield
    finally:
        run.behind.mosquitto.start()


@contextlib.asynccontextmanager
async def a_device_that(run, seconds):
    load = [calls(run.own, "faulty") for _ in range(CALLERS)]
    async with going_on(stays(run.own, "faulty", run.secrets["faulty"], seconds), *load):
        yield


@fault("slow", ("ThingcallDevicesSlow", "own"))
@contextlib.asynccontextmanager
async def slow(run):
    async with a_device_that(run, 4.0):
        yield


@fault("silent", ("ThingcallCallsTimeOut", "own"))
@contextlib.asynccontextmanager
async def silent(run):
    async with a_device_that(run, None):
        yield


@fault("late", ("ThingcallRepliesLate", "own"))
@contextlib.asynccontextmanager
async def late(run):
    async with a_device_that(run, 9.0):
        yield


@fault("disk", ("ThingcallStoreUnwritable", "own"))
@contextlib.asynccontextmanager
async def disk(run):
    """It is noticed when something is written: asynchronous calls are."""
    run.disk.fill()
    try:
        async with going_on(*(calls(run.own, "healthy", ASYNC) for _ in range(CALLERS))):
            yield
    finally:
        run.disk.free()


@fault("limit", ("ThingcallLimitNear", "own"))
@contextlib.asynccontextmanager
async def limit(run):
    devices = await connect_all(run.own, run.some(SESSIONS_MAX * 9 // 10))
    try:
        yield
    finally:
        leave_all(devices)


@fault("plugin", ("ThingcallPluginRefused", "own"))
@contextlib.asynccontextmanager
async def plugin(run):
    """A file that is no plugin, and it is there when the server starts."""
    file = os.path.join(run.own.data, "plugins", "libbroken.so")
    with open(file, "wb") as broken:
        broken.write(b"no plugin")
    await asyncio.to_thread(run.own.killed)
    try:
        yield
    finally:
        os.remove(file)


@fault("requests", ("ThingcallRequestsRefused", "own"))
@contextlib.asynccontextmanager
async def requests(run):
    async def refused():
        while True:
            reader, writer = await asyncio.open_connection(*run.own.server.address("api"))
            path = signed_path("QueryProductList").replace(f"AccessKeyId={KEY}", f"AccessKeyId={KEY}x")
            writer.write(f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
            await reader.read()
            writer.close()
            await asyncio.sleep(0.05)

    async with going_on(refused()):
        yield


@fault("webhook", ("ThingcallWebhookFailing", "own"))
@contextlib.asynccontextmanager
async def webhook(run):
    run.hook.works = False
    # Something to tell it.
    leave_all(await connect_all(run.own, run.some(1)))
    try:
        yield
    finally:
        run.hook.works = True


@fault("logins", ("ThingcallLoginStorm", "own"))
@contextlib.asynccontextmanager
async def logins(run):
    """Two devices with one name and secret push each other out."""

    async def comes():
        while True:
            with contextlib.suppress(OSError, EOFError):
                (device,) = await connect_all(run.own, run.some(1))
                await device.read()
            await asyncio.sleep(0.02)

    async with going_on(comes(), comes()):
        yield


@fault("down", ("ThingcallDown", "behind"))
@contextlib.asynccontextmanager
async def down(run):
    run.behind.server.kill()
    try:
        yield
    finally:
        run.behind.server = await asyncio.to_thread(run.behind.start)
    

async def all_faults(run, names):
    wrong = []
    load = [
        stays(run.own, "healthy", run.secrets["healthy"]),
        calls(run.own, "healthy"),
        stays(run.behind, "healthy", run.others["healthy"]),
        calls(run.behind, "healthy"),
    ]
    async with going_on(*load):
        for name in names:
            try:
                told = await run.made(name)
            except Wrong as problem:
                wrong.append(name)
                told = f"WRONG: {problem}"
            print(f"{name:9} {told}", flush=True)
    return wrong


async def tried(args, folder, disk):
    hook = Hook()
    target = await hook.listens()
    run = await asyncio.to_thread(Run, args.program, args.faster, folder, disk, hook)
    began = time.monotonic()
    try:
        wrong = await all_faults(run, args.faults or FAULTS)
        if not args.faults:
            seconds = time.monotonic() - began
            wrong += await asyncio.to_thread(dashboards.answered, run.prometheus, seconds, args.keep)
    finally:
        run.prometheus.stop()
        for site in (run.own, run.behind):
            site.stop()
        target.close()
    return wrong


def main():
    parser = argparse.ArgumentParser(prog="tests/alerts/run")
    parser.add_argument("--program", required=True)
    parser.add_argument("--faster", type=int, default=20)
    parser.add_argument("--keep")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    args = parser.parse_args()
    unknown = set(args.faults) - set(FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    folder, disk = tempfile.mkdtemp(prefix="thingcall-alerts-"), Disk()
    try:
        wrong = asyncio.run(tried(args, folder, disk))
    finally:
        disk.gone()
        shutil.rmtree(folder, ignore_errors=True)
    if wrong:
        raise SystemExit(f"tests/alerts/run: {', '.join(wrong)}")


main()
