"""Reports and calls, consumers and servers that are killed meanwhile, and the accounts afterwards."""

import argparse
import asyncio
import os
import random
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "..", "cluster"), os.path.join(HERE, "..", "memory")]

from consumers import Consumers  # noqa: E402
from faults import until  # noqa: E402
from reports import CALL_ONE_IN, AsyncCallers, Reporting, Reports  # noqa: E402
from server import all_files  # noqa: E402
from serving import GROUPS, SUBSCRIBED, Site  # noqa: E402
from settled import Settled  # noqa: E402

MESSAGES, QUICK_MESSAGES = 100_000, 6_000
KILLS, QUICK_KILLS = 20, 4
# Twice of it at most between two faults of consumers.
DISTURBED_EVERY_S = 1
# Where there are two instances, the other one may have all to itself for so long.
GONE_S = (0, 14)
# What comes back waits for its turn: 200 a second of a group at most.
SETTLED_WITHIN_S = 600
ASKED_EVERY_S = 2
READ = [product for product, (_, groups) in SUBSCRIBED.items() if groups]


class Run:
    """One run."""

    def __init__(self, args):
        self.args, self.chance = args, random.Random(args.seed)
        self.site, self.consumers, self.wrong, self.kills = Site(args.program, args.store), None, [], 0

    async def run(self):
        staying, site = [], self.site
        try:
            devices = [Reporting(*one, site.broker()) for one in await asyncio.to_thread(site.start)]
            staying = [asyncio.create_task(device.stays()) for device in devices]
            await until(lambda: all(device.connected.is_set() for device in devices), "all devices are connected")
            self.consumers = Consumers(site, self.chance, self.args.seed)
            await self.load(devices)
            self.wrong += await self.settled()
        finally:
            for task in staying:
                task.cancel()
            if self.consumers:
                self.consumers.stop()
            if self.wrong and self.args.keep:
                print(f"logs, notes and records: {await asyncio.to_thread(site.keep)}")
            await asyncio.to_thread(site.stop)
            site.remove()

    async def load(self, devices):
        calls = self.args.per_second / CALL_ONE_IN
        self.reports = Reports(devices, self.args.per_second - calls)
        called = [device for device in devices if device.product in READ]
        self.callers = AsyncCallers([one.api for one in self.site.instances], called, calls, self.args.seed)
        working = [asyncio.create_task(self.reports.report()), asyncio.create_task(self.callers.call())]
        disturbing = asyncio.create_task(self.consumers.disturb(DISTURBED_EVERY_S))
        began = time.monotonic()
        try:
            for kill in range(1, self.args.kills + 1):
                await self.reached(self.args.messages * kill / (self.args.kills + 1), [*working, disturbing])
                await self.kill()
            await self.reached(self.args.messages, [*working, disturbing])
        finally:
            disturbing.cancel()
            self.reports.over = self.callers.over = True
        await asyncio.gather(*working)
        await self.reports.answered()
        took = time.monotonic() - began
        done, ended = self.consumers.done, ", ".join(f"{what} {count}" for what, count in self.reports.ended().items())
        print(
            f"{self.taken()} messages taken in {took:.0f} s ({self.taken() / took:.0f} a second); {self.reports.sent} reports sent"
            f" ({ended or 'all taken'}), {len(self.callers.accepted())} of {len(self.callers.told)} calls accepted; server killed "
            f"{self.kills} times, consumers killed {done['killed']} and paused {done['paused']} times",
            flush=True,
        )

    def taken(self):
        return self.reports.taken(READ) + len(self.callers.accepted())

    async def reached(self, messages, tasks):
        while self.taken() < messages:
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.1)

    async def kill(self):
        """One of the instances with SIGKILL, the other one the next time; it comes back."""
        one = self.site.instances[self.kills % len(self.site.instances)]
        self.kills += 1
        await asyncio.to_thread(one.kill)
        gone_s = self.chance.uniform(*GONE_S) if len(self.site.instances) > 1 else 0
        await asyncio.sleep(gone_s)
        await asyncio.to_thread(one.start)
        print(f"{self.taken():7} messages: {one.name} killed, {gone_s:.1f} s away", flush=True)

    async def settled(self):
        """The accounts, once all is settled or nothing more is to be hoped for."""
        began = time.monotonic()
        while True:
            accounts = await asyncio.to_thread(Settled, self.site, self.reports, self.callers, self.consumers)
            standing = {name: await asyncio.to_thread(self.site.standing, name) for name in GROUPS}
            waits = any(any(counts.values()) for counts in standing.values())
            if accounts.is_complete() and not waits or time.monotonic() - began > SETTLED_WITHIN_S:
                break
            await asyncio.sleep(ASKED_EVERY_S)
        lines, wrong = accounts.in_words(), accounts.wrong()
        self.consumers.look()
        wrong += self.consumers.wrong + [f"what the store says of {name}: {counts}" for name, counts in standing.items() if any(counts.values())]
        print("\n".join(lines))
        print(f"lost {len(accounts.unwritten()) + len(accounts.unsettled())}, wrong {len(wrong)}; settled after {time.monotonic() - began:.0f} s")
        return wrong + accounts.unexercised()


async def run(args):
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    running = Run(args)
    await running.run()
    for line in running.wrong[:20]:
        print(f"WRONG {line}")
    if running.wrong:
        raise SystemExit(f"tests/messages/run: {len(running.wrong)} wrong")


def main():
    parser = argparse.ArgumentParser(prog="tests/messages/run")
    parser.add_argument("--program", required=True)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--per-second", type=int, default=300)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="keep logs, notes and records where something is wrong")
    args = parser.parse_args()
    if args.quick:
        args.messages, args.kills = min(args.messages, QUICK_MESSAGES), min(args.kills, QUICK_KILLS)
    all_files()
    print(f"seed {args.seed}", flush=True)
    try:
        asyncio.run(run(args))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit("tests/messages/run: interrupted") from None


main()
