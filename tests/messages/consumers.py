"""The consumers of a run: each a process, which is killed, begun anew and paused."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter

from server import KEY, SECRET
from servers import Server

HERE = os.path.dirname(os.path.abspath(__file__))
# Of each group, what they speak.
SPEAK = {"some": ["amqp", "amqp", "amqp"], "more": ["amqp", "amqp", "stomp", "stomp"]}
PAUSED_S = (0.5, 8)


class Consumer:
    """One of a group, in its every life."""

    def __init__(self, site, group, number, seed):
        self.group, self.speaks = group, SPEAK[group][number]
        self.name, self.folder = f"{group}-{number}-{self.speaks}", site.folder
        self.notes = os.path.join(site.folder, f"{self.name}.notes")
        ports = [one.amqp if self.speaks == "amqp" else one.stomp for one in site.instances]
        ports = ports[number % len(ports) :] + ports[: number % len(ports)]
        self.settings = {
            "protocol": self.speaks, "addresses": [["127.0.0.1", port] for port in ports], "key": KEY, "secret": SECRET,
            "group": site.groups[group], "notes": self.notes,
        }
        self.seed, self.lives, self.busy = seed, 0, False
        self.start()

    def start(self):
        self.lives += 1
        settings = self.settings | {"seed": f"{self.seed} {self.name} {self.lives}"}
        command = [sys.executable, os.path.join(HERE, "consumer.py"), json.dumps(settings)]
        self.server = Server(command, self.folder, self.name)

    def kill(self):
        self.server.end(signal.SIGKILL)

    def noted(self):
        with open(self.notes) as file:
            return [line.rstrip("\n").split("\t") for line in file]


class Consumers:
    """All of them, and what is done to them."""

    def __init__(self, site, chance, seed):
        self.all = [Consumer(site, group, number, seed) for group, some in SPEAK.items() for number in range(len(some))]
        self.chance, self.done, self.wrong = chance, Counter(), []

    async def disturb(self, every_s):
        """Until it is cancelled; then all of them run."""
        pausing = set()
        try:
            while True:
                await asyncio.sleep(every_s * 2 * self.chance.random())
                self.look()
                one = self.chance.choice([one for one in self.all if not one.busy] or [None])
                if one is None:
                    continue
                if self.chance.random() < 0.5:
                    one.busy = True
                    task = asyncio.create_task(self._pause(one))
                    pausing.add(task)
                    task.add_done_callback(pausing.discard)
                else:
                    one.kill()
                    self.done["killed"] += 1
                    one.start()
        finally:
            for task in list(pausing):
                task.cancel()
            for one in self.all:
                one.server.send(signal.SIGCONT)

    async def _pause(self, one):
        one.server.send(signal.SIGSTOP)
        self.done["paused"] += 1
        try:
            await asyncio.sleep(self.chance.uniform(*PAUSED_S))
        finally:
            one.server.send(signal.SIGCONT)
            one.busy = False

    def look(self):
        """None ends by itself."""
        for one in self.all:
            if one.server.child.poll() is not None:
                with open(os.path.join(one.folder, f"{one.name}.log")) as log:
                    self.wrong.append(f"the consumer {one.name} ended by itself: {log.read()[-1500:]}")
                one.kill()
                one.start()

    def stop(self):
        for one in self.all:
            one.kill()
