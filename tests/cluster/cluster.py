"""Three instances, what is around them, the load, the faults, and the accounts afterwards."""

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "memory"))

from accounts import Accounts  # noqa: E402
from faults import ALL, Faults, Wrong, until  # noqa: E402
from instance import Instance  # noqa: E402
from load import Callers, Noting  # noqa: E402
from server import KEY, SECRET, all_files  # noqa: E402
from servers import USER, Haproxy, Mosquitto, Postgres, Rabbit, Server  # noqa: E402
from wire import Wire  # noqa: E402

# A slot's generation, and whether its lease is over and no call in it is open.
TAKEN_OVER = """SELECT slot, generation, (holder IS NULL OR ends_at <= clock_timestamp()) AND NOT EXISTS
    (SELECT FROM calls WHERE calls.slot = slots.slot AND (state < 3 OR due)) AS idle FROM slots"""
# What of the store is asked for the accounts.
RECORDS = "SELECT call_id, params, state, outcome, message, taken_over_by FROM calls"
PRODUCTS = {"mosquitto": "mqtt", "rabbitmq": "amqp"}
DEVICES_EACH = 60
BETWEEN_S = 3
SETTLED_WITHIN_S = 90
# A command of a record that has no end yet is sent again by its broker at the latest when its device comes back.
ASKED_EVERY_S = 2


class Cluster:
    """All of it. The third instance has its store and its Mosquitto behind wires, the second a clock a minute ahead."""

    def __init__(self, program, plugin, ahead):
        self.folder = tempfile.mkdtemp(prefix="thingcall-cluster-")
        os.chmod(self.folder, 0o755)
        self.program, self.plugin, self.ahead, self.builds = program, plugin, ahead, 0
        self.wires, self.instances, self.started = {}, [], []

    async def start(self):
        self.postgres = await self._started(Postgres, self.folder)
        self.mosquitto = await self._started(Mosquitto, self.folder)
        self.rabbit = await self._started(Rabbit, self.folder)
        self.wires = {"store": await Wire(self.postgres.port).start(), "mqtt": await Wire(self.mosquitto.port).start()}
        for name, ahead_s, wired in (("one", 0, False), ("two", 60, False), ("three", 0, True)):
            self.instances.append(Instance(name, self.program, self.folder, self._urls(wired), self.ahead, ahead_s))
        devices = await asyncio.to_thread(self._register)
        for one in self.instances:
            await asyncio.to_thread(one.start)
        self.haproxy = await self._started(Haproxy, self.folder, self.instances)
        return devices

    async def _started(self, kind, *arguments):
        # Whoever interrupts it waits until it is there, and can be ended.
        starting = asyncio.ensure_future(asyncio.to_thread(kind, *arguments))
        try:
            return await asyncio.shield(starting)
        finally:
            self.started.append(await starting)

    def _urls(self, wired):
        store = self.wires["store"].port if wired else self.postgres.port
        mqtt = self.wires["mqtt"].port if wired else self.mosquitto.port
        return {
            "store": f"postgres://{USER}@127.0.0.1:{store}/thingcall",
            "mqtt": f"mqtt://127.0.0.1:{mqtt}",
            "amqp": f"amqp://127.0.0.1:{self.rabbit.amqp}",
        }

    def _register(self):
        """By the command line, as an operator does before the first start."""
        first, devices = self.instances[0], []
        models = [os.path.join(HERE, name) for name in ("model.json", "model_testFb.json")]
        brokers = {"mosquitto": (self.mosquitto.port, None), "rabbitmq": (self.rabbit.mqtt, (USER, USER))}
        for product, transport in PRODUCTS.items():
            topic = ["--sync-topic", "rrpc"]
            first.command("product", "import", "--key", product, "--transport", transport, *topic, *models)
            for number in range(DEVICES_EACH):
                (made,) = first.lines("device", "add", "--product", product, "--name", f"d{number}")
                port, user = brokers[product]
                devices.append(Noting(product, f"d{number}", made["deviceSecret"], ("127.0.0.1", port), user))
        first.command("key", "add", "--id", KEY, "--secret", SECRET)
        return devices

    def slots_of(self, name):
        """The slots this instance holds, and their generations."""
        rows = self.postgres.rows("SELECT slot, generation, holder::json->>'name' AS holder FROM slots WHERE holder IS NOT NULL")
        return {row["slot"]: row["generation"] for row in rows if row["holder"] == name}

    def taken_over(self, slots):
        """Whether each is somebody else's now, or was let go of with nothing left to do in it."""
        rows = self.postgres.rows(TAKEN_OVER)
        now = {row["slot"]: row for row in rows}
        return all(now[slot]["generation"] > generation or now[slot]["idle"] for slot, generation in slots.items())

    def records(self):
        return self.postgres.rows(RECORDS)

    async def stop(self):
        for one in self.instances:
            if one.server:
                await asyncio.to_thread(one.stop)
        for wire in self.wires.values():
            wire.close()
        for server in reversed(self.started):
            await asyncio.to_thread(getattr(server, "close", server.stop))
        # Those that never got as far as to be used.
        for server in list(Server.living):
            await asyncio.to_thread(server.end)
        shutil.rmtree(self.folder, ignore_errors=True)


async def break_things(cluster, faults, names, until_s):
    """Each of them in turn until the time is over, and each at least once."""
    round_ = 0
    while round_ == 0 or time.monotonic() < until_s:
        round_ += 1
        for name in names:
            if round_ > 1 and time.monotonic() > until_s:
                return
            began = time.monotonic()
            told = await ALL[name](faults)
            print(f"{name:18} {time.monotonic() - began:4.0f} s  {told}", flush=True)
            await asyncio.sleep(BETWEEN_S)


async def run(args):
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    cluster, chance = Cluster(args.program, args.plugin, args.ahead), random.Random(args.seed)
    wrong, staying, callers = [], [], None
    try:
        devices = await cluster.start()
        staying = [asyncio.create_task(device.stays()) for device in devices]
        await until(lambda: all(device.connected.is_set() for device in devices), "all devices are connected")
        callers, faults = Callers(cluster.haproxy.port, devices, args.per_second), Faults(cluster, chance)
        calling = asyncio.create_task(callers.call())
        await asyncio.sleep(BETWEEN_S)
        try:
            await break_things(cluster, faults, args.only or list(ALL), time.monotonic() + args.minutes * 60)
        except Wrong as problem:
            wrong.append(str(problem))
        await asyncio.sleep(BETWEEN_S)
        callers.over = True
        await calling
        wrong += await settled(cluster, callers, devices, faults.takeovers)
        if faults.takeovers:
            takeovers = sorted(faults.takeovers)
            print(f"take-overs: {len(takeovers)}, the longest after {takeovers[-1]:.1f} s")
    finally:
        for task in staying:
            task.cancel()
        if wrong and args.keep:
            keep(cluster, wrong)
        await cluster.stop()
    for line in wrong[:20]:
        print(f"WRONG {line}")
    if wrong:
        raise SystemExit(f"tests/cluster/run: {len(wrong)} wrong")


def keep(cluster, wrong):
    """What is needed to find out why."""
    target = tempfile.mkdtemp(prefix="thingcall-cluster-kept-")
    for one in cluster.instances:
        shutil.copy(os.path.join(cluster.folder, f"{one.name}.log"), target)
    for name, lines in (("wrong", wrong), ("calls", cluster.postgres.ask("SELECT row_to_json(t) FROM (SELECT * FROM calls) t"))):
        with open(os.path.join(target, name), "w") as file:
            file.write("\n".join(lines))
    print(f"logs and records: {target}")


async def settled(cluster, callers, devices, takeovers):
    """The accounts, once every accepted call has ended or nothing more is to be hoped for."""
    began = time.monotonic()
    while True:
        accounts = Accounts(callers.told, devices, await asyncio.to_thread(cluster.records))
        if accounts.settled() or time.monotonic() - began > SETTLED_WITHIN_S:
            break
        await asyncio.sleep(ASKED_EVERY_S)
    lost, wrong = len(accounts.open()), accounts.settle() + accounts.unexercised(takeovers)
    print(f"{accounts.in_words()}; lost {lost}, wrong {len(wrong)}; settled after {time.monotonic() - began:.0f} s")
    return wrong


def main():
    parser = argparse.ArgumentParser(prog="tests/cluster/run")
    parser.add_argument("--program", required=True)
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--ahead", required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="keep logs and records where something is wrong")
    parser.add_argument("--only", nargs="+", choices=ALL, metavar="FAULT")
    args = parser.parse_args()
    if args.quick:
        args.minutes, args.per_second = 0, min(args.per_second, 100)
    all_files()
    print(f"seed {args.seed}", flush=True)
    try:
        asyncio.run(run(args))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit("tests/cluster/run: interrupted") from None


main()
