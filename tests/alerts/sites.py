"""The two servers: `own` has the embedded broker, a small disk, a plugin and a webhook, `behind` is behind a Mosquitto."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile

from ports import free_ports
from server import Site

DISK_MIB = 96
SESSIONS_MAX = 100
# What a dashboard asks for must be there.
SETTINGS = {"API__CALLS_PER_SECOND_MAX": "5000", "SUBSCRIPTION__PLAIN_AMQP_LISTEN": "127.0.0.1:0"}


class Hook:
    """A webhook's target, which takes what it is sent, or not."""

    def __init__(self):
        self.works, self.port = True, None

    async def _served(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), ":0")
                await reader.readexactly(int(length.split(":")[1]))
                status = "204 No Content" if self.works else "503 Service Unavailable"
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    async def listens(self):
        server = await asyncio.start_server(self._served, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server


class Disk:
    """A small file system."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="thingcall-alerts-")
        size = f"size={DISK_MIB}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", self.folder], check=True)

    def fill(self):
        with open(os.path.join(self.folder, "filler"), "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    def free(self):
        os.remove(os.path.join(self.folder, "filler"))

    def gone(self):
        subprocess.run(["umount", "-l", self.folder], check=True)
        os.rmdir(self.folder)


def secret_of(program):
    made = subprocess.run([program, "webhook", "secret"], capture_output=True, text=True, check=True)
    return made.stdout.strip()


def with_own_broker(program, disk, hook):
    data = os.path.join(disk.folder, "data")
    settings = SETTINGS | {
        "BROKER__SESSIONS_MAX": str(SESSIONS_MAX),
        "WEBHOOKS__SHOP__URL": f"http://127.0.0.1:{hook.port}/",
        "WEBHOOKS__SHOP__SECRET": secret_of(program),
        # Each comes again soon.
        "WEBHOOKS__SHOP__RETRY_PAUSE_MIN": "1s",
        "WEBHOOKS__SHOP__RETRY_PAUSE_MAX": "2s",
        "WEBHOOKS__SHOP__TRIES_MAX": "1000",
    }
    plugins = os.path.join(data, "plugins")
    os.makedirs(plugins, mode=0o700)
    shutil.copy(os.path.join(os.path.dirname(program), "libtest_fb.so"), plugins)
    return Site(program, settings, data=data, metrics_port=free_ports(1)[0])


def behind_mosquitto(program):
    settings = SETTINGS | {"GATE__LISTEN": "127.0.0.1:0", "MQTT__MESSAGES_TOPIC": "thingcall/messages"}
    return Site(program, settings, with_mosquitto=True, metrics_port=free_ports(1)[0])
