"""What breaks, one after the other, while calls are made."""

import asyncio
import os
import shutil
import time

HEALED_WITHIN_S = 60
# So long an instance may be gone before another has its slot.
TAKEN_OVER_WITHIN_S = 15


class Wrong(Exception):
    """What must not have happened."""


async def until(holds, what, within_s=HEALED_WITHIN_S):
    """Waits until it holds; says how long that took."""
    began = time.monotonic()
    while not await asyncio.to_thread(holds):
        if time.monotonic() - began > within_s:
            raise Wrong(f"not within {within_s} s: {what}")
        await asyncio.sleep(0.2)
    return time.monotonic() - began


class Faults:
    """Each gives the words of what was seen. When it returns, all is whole again."""

    def __init__(self, cluster, chance):
        self.cluster, self.chance, self.takeovers = cluster, chance, []

    def _one(self):
        return self.chance.choice(self.cluster.instances)

    async def _whole(self):
        took = await until(lambda: all(one.ready() for one in self.cluster.instances), "all instances are ready")
        return f"all ready again after {took:.1f} s"

    async def kill(self):
        """SIGKILL; it comes back once another has taken its slot over."""
        one = self._one()
        slots = self.cluster.slots_of(one.name)
        if not slots:
            raise Wrong(f"{one.name} holds no slot that could be taken over")
        await asyncio.to_thread(one.kill)
        took = await until(
            lambda: self.cluster.taken_over(slots),
            f"the slots of {one.name} {slots} are taken over", TAKEN_OVER_WITHIN_S,
        )
        self.takeovers.append(took)
        await asyncio.to_thread(one.start)
        return f"{one.name}, slots {sorted(slots)} taken over after {took:.1f} s; {await self._whole()}"

    async def stop(self):
        """SIGSTOP until its lease is over, then SIGCONT: it must find out by itself."""
        one = self._one()
        one.pause(True)
        await asyncio.sleep(self.chance.choice([3, 12]))
        one.pause(False)
        return f"{one.name}; {await self._whole()}"

    async def postgres_restart(self):
        await asyncio.to_thread(self.cluster.postgres.stop)
        await asyncio.sleep(self.chance.choice([0, 2]))
        await asyncio.to_thread(self.cluster.postgres.start)
        return await self._whole()

    async def postgres_pause(self):
        for_s = self.chance.choice([3, 14])
        await asyncio.to_thread(self.cluster.postgres.paused, True)
        await asyncio.sleep(for_s)
        await asyncio.to_thread(self.cluster.postgres.paused, False)
        return f"{for_s} s; {await self._whole()}"

    async def mosquitto_restart(self):
        await asyncio.to_thread(self.cluster.mosquitto.stop)
        await asyncio.sleep(self.chance.choice([0, 2]))
        await asyncio.to_thread(self.cluster.mosquitto.start)
        return await self._whole()

    async def rabbitmq_restart(self):
        await asyncio.to_thread(self.cluster.rabbit.stop)
        await asyncio.to_thread(self.cluster.rabbit.start)
        return await self._whole()

    async def cut_store(self):
        return await self._cut("store")

    async def cut_broker(self):
        return await self._cut("mqtt")

    async def _cut(self, what):
        """The one behind wires loses a server, with nobody to tell it so."""
        for_s = self.chance.choice([4, 14])
        wire = self.cluster.wires[what]
        wire.cut()
        await asyncio.sleep(for_s)
        wire.mend()
        return f"{for_s} s; {await self._whole()}"

    async def plugin(self):
        """Another build of a plugin, for all of them, one after the other."""
        self.cluster.builds += 1
        for one in self.cluster.instances:
            path = os.path.join(one.data, "plugins", "libecho.so")
            shutil.copyfile(self.cluster.plugin, f"{path}.new")
            with open(f"{path}.new", "ab") as file:
                file.write(b"%d" % self.cluster.builds)
            os.rename(f"{path}.new", path)
            await asyncio.to_thread(one.command, "plugin", "reload")
        return f"build {self.cluster.builds}; {await self._whole()}"

    async def rolling(self):
        """Each one ends in order, and comes back before the next."""
        for one in self.cluster.instances:
            await asyncio.to_thread(one.stop)
            await asyncio.to_thread(one.start)
        return await self._whole()


ALL = {
    "kill": Faults.kill,
    "stop": Faults.stop,
    "postgres-restart": Faults.postgres_restart,
    "postgres-pause": Faults.postgres_pause,
    "mosquitto-restart": Faults.mosquitto_restart,
    "rabbitmq-restart": Faults.rabbitmq_restart,
    "cut-store": Faults.cut_store,
    "cut-broker": Faults.cut_broker,
    "plugin": Faults.plugin,
    "rolling": Faults.rolling,
}
