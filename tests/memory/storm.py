"""Idle devices on the embedded broker: bytes and processor time of each, and how soon all are back once the server was
started again while calls go on."""

import argparse
import asyncio
import http.client
import os
import random
import subprocess
import time
from collections import Counter

from caller import Caller
from fleet import fill
from ports import free_ports
from server import PRODUCT, Site, all_files

FILES_BESIDE = 1_200
# A process of devices has so many files, and one address so many ports.
DEVICES_EACH = 9_500
WITHIN_S, POLL_S = 300, 0.2
LATE_S = 1.0
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """User and system time of a process and its threads, in seconds."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Fleet:
    """Devices in processes of their own, which connect again for ever."""

    def __init__(self, program, address, args):
        starts = range(0, args.devices, DEVICES_EACH)
        self.children = [
            subprocess.Popen(
                [program, f"{address[0]}:{address[1]}", f"127.0.0.{2 + at}:0", PRODUCT, str(first)]
                + [str(min(DEVICES_EACH, args.devices - first)), str(args.keep_alive), str(args.subscribe).lower()],
                stdout=subprocess.PIPE,
                text=True,
            )
            for at, first in enumerate(starts)
        ]
        # Their passwords are made before.
        for child in self.children:
            assert child.stdout.readline() == "made\n"

    def stop(self):
        for child in self.children:
            child.kill()
            child.wait()
            child.stdout.close()


def back(site, count):
    """Waits until so many devices are connected."""
    until = time.monotonic() + WITHIN_S
    while (there := sessions(site)) < count:
        if time.monotonic() > until:
            raise SystemExit(f"{there:.0f} of {count} devices are connected after {WITHIN_S} s")
        time.sleep(POLL_S)
    return time.monotonic()


def sessions(site):
    try:
        return site.metric("thingcall_broker_sessions")
    except (ConnectionError, http.client.HTTPException):
        return 0


class Calls:
    """So many calls a second, to one device after another, and how each ended."""

    def __init__(self, site, args):
        self.api, self.rate, self.devices = site.server.address("api"), args.calls, args.devices
        self.ended, self.all_ended, self.took, self.free = Counter(), Counter(), [], []
        self.running, self.stopped = set(), False

    async def one(self):
        caller = self.free.pop() if self.free else Caller(self.api)
        began = time.monotonic()
        try:
            await caller.send(f"fleet-{random.randrange(self.devices):07}", "testFb:testService", '{"param1":1}')
            answer = await caller.answer()
        except (OSError, EOFError):
            self.ended["no server"] += 1
            return
        took = time.monotonic() - began
        self.free.append(caller)
        if answer.get("Success"):
            self.took.append(took)
            self.ended["answered late" if took > LATE_S else "answered"] += 1
        else:
            self.ended[answer["Code"].split(".")[-1]] += 1

    async def go_on(self):
        began, made = time.monotonic(), 0
        while not self.stopped:
            while made < (time.monotonic() - began) * self.rate:
                made += 1
                task = asyncio.create_task(self.one())
                self.running.add(task)
                task.add_done_callback(self.running.discard)
            await asyncio.sleep(0.005)
        while self.running:
            await asyncio.wait(set(self.running))

    def told(self):
        """How they ended since this was asked last."""
        ended, took = dict(sorted(self.ended.items())), sorted(self.took)
        self.all_ended += self.ended
        self.ended, self.took = Counter(), []
        times = f"; p50 {took[len(took) // 2] * 1e3:.1f} ms, p99 {took[len(took) * 99 // 100] * 1e3:.1f} ms" if took else ""
        return f"{ended}{times}"


def restarted(site, kill):
    """Starts the server again; when it was gone and when it was ready."""
    began = time.monotonic()
    if kill:
        site.server.kill()
    else:
        site.server.stop()
    gone = time.monotonic()
    site.server = site.start()
    return began, gone, time.monotonic()


async def measured(site, args, fleet):
    calls = Calls(site, args)
    making = asyncio.create_task(calls.go_on())
    await asyncio.sleep(args.seconds)
    print(f"calls before, {args.calls} a second: {calls.told()}", flush=True)
    for _ in range(args.restarts):
        began, gone, ready = await asyncio.to_thread(restarted, site, args.kill)
        all_back = await asyncio.to_thread(back, site, args.devices)
        used = cpu_s(site.server.pid)
        seconds = all_back - ready
        print(
            f"restart: stopped in {gone - began:.2f} s, ready after {ready - gone:.2f} s, all {args.devices} back {seconds:.2f} s "
            f"later: {args.devices / seconds:,.0f} a second, {used * 1e6 / args.devices:.0f} us of the server's processor each",
            flush=True,
        )
        print(f"  calls meanwhile: {calls.told()}", flush=True)
    await asyncio.sleep(2)
    print(f"calls after: {calls.told()}", flush=True)
    calls.stopped = True
    await making
    if missing := (calls.all_ended + calls.ended)["TIMEOUT"]:
        raise SystemExit(f"{missing} calls to devices that were there were not answered")


def idle(site, args):
    """Processor time of devices that only say that they are there."""
    pid, seconds = site.server.pid, 3 * args.keep_alive
    before, began = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    used, took = cpu_s(pid) - before, time.monotonic() - began
    each = used / (args.devices * took / args.keep_alive)
    print(
        f"keep-alives of {args.keep_alive} s: {100 * used / took:.2f} % of a core, {each * 1e6:.1f} us each; 100,000 devices with one a "
        f"minute are {each * 100_000 / 60 * 100:.1f} % of a core, by reckoning",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(prog="tests/memory/run storm")
    parser.add_argument("--program", required=True)
    parser.add_argument("--fleet", required=True)
    parser.add_argument("--devices", type=int, default=18_500)
    parser.add_argument("--calls", type=int, default=100, help="a second")
    parser.add_argument("--seconds", type=float, default=5, help="of calls before")
    parser.add_argument("--keep-alive", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--subscribe", action="store_true", help="devices subscribe to the topics of their calls")
    parser.add_argument("--kill", action="store_true", help="restart with SIGKILL")
    parser.add_argument("--most", type=int, default=10_240, help="bytes that a device may cost")
    args = parser.parse_args()
    files = all_files()
    if args.devices + FILES_BESIDE > files:
        raise SystemExit(f"{args.devices} devices need {args.devices + FILES_BESIDE} files, {files} are allowed: ulimit -Hn")
    api, mqtt = free_ports(2)
    settings = {"BROKER__SESSIONS_MAX": str(args.devices), "BROKER__SOCKETS_MAX": str(args.devices + 100)}
    # Files that callers may need are none of the devices'.
    settings |= {"API__CONNECTIONS_MAX": "250"}
    site, fleet = Site(args.program, settings, api_port=api, mqtt_port=mqtt), None
    try:
        site.server.stop()
        fill(os.path.join(site.data, "thingcall.db"), args.devices)
        site.server = site.start()
        before = site.server.settled()
        began = time.monotonic()
        fleet = Fleet(args.fleet, site.server.address("mqtt"), args)
        seconds = back(site, args.devices) - began
        each = (site.server.settled() - before) / args.devices
        print(f"{args.devices} devices, each {each:,.0f} bytes; connected in {seconds:.1f} s", flush=True)
        idle(site, args)
        asyncio.run(measured(site, args, fleet))
        if each > args.most:
            raise SystemExit(f"a device costs over {args.most} bytes")
    finally:
        if fleet:
            fleet.stop()
        site.stop()


if __name__ == "__main__":
    main()
