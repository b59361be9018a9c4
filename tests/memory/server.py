"""A server of the program's own to measure, with a product, an access key and devices; signed calls to it."""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from ports import free_ports

PRODUCT = "a1BwAGVxxxx"
KEY, SECRET = "testid", "testsecret"
FIXTURES = os.path.join(os.path.dirname(__file__), "..", "fixtures")
READY_WITHIN_S = 30

nonces = itertools.count()


def all_files():
    """Lets this process and those it starts open as many files as the system allows; says how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def reset(writer):
    """Has the connection end with a reset when it is closed, as when a machine or a network fails."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def signed_path(action, **params):
    """Path and query of a request with a V1 signature."""
    params = params | {
        "Action": action,
        "Version": "2018-01-20",
        "Format": "JSON",
        "AccessKeyId": KEY,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": f"{os.getpid()}-{next(nonces)}",
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    query = urllib.parse.urlencode(sorted(params.items()), quote_via=urllib.parse.quote, safe="~")
    text = "POST&%2F&" + urllib.parse.quote(query, safe="~")
    mac = hmac.new(f"{SECRET}&".encode(), text.encode(), hashlib.sha1).digest()
    return f"/?{query}&Signature={urllib.parse.quote(base64.b64encode(mac), safe='~')}"


class Process:
    """A server process; `addresses` are those it says when it is ready."""

    def __init__(self, command, settings=(), preload=None, files_max=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("THINGCALL")}
        environment |= {f"THINGCALL__{key}": value for key, value in dict(settings).items()}
        if preload:
            environment["LD_PRELOAD"] = preload
        if files_max:
            command = ["prlimit", f"--nofile={files_max}:{files_max}", *command]
        # The log goes into a file, not a pipe: nobody reads it while this measures.
        self.log = tempfile.NamedTemporaryFile("w+", prefix="thingcall-memory-", suffix=".log")
        self.child = subprocess.Popen(command, env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        self.pid = self.child.pid
        self.addresses = self._ready()

    def _ready(self):
        for _ in range(READY_WITHIN_S * 20):
            for line in open(self.log.name):
                if line.startswith("ready "):
                    return dict(word.split("=", 1) for word in line.split()[1:] if "=" in word)
            if self.child.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"the server is not ready:\n{open(self.log.name).read()}")

    def address(self, name):
        host, port = self.addresses[name].rsplit(":", 1)
        return host, int(port)

    def resident(self):
        """The resident set in bytes; file pages of the program itself are not in it."""
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise SystemExit("no RssAnon")

    def huge_pages(self):
        """Bytes of the resident set that the kernel holds in huge pages: 2 MiB each, for a few bytes as well."""
        rollup = open(f"/proc/{self.pid}/smaps_rollup").read()
        return sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("AnonHugePages:"))

    def settled(self, within_s=60):
        """The resident set once it does not change any more: five readings in a row within 0.2 %."""
        last = []
        for _ in range(within_s):
            last = (last + [self.resident()])[-5:]
            if len(last) == 5 and max(last) - min(last) <= 0.002 * max(last):
                break
            time.sleep(1)
        return last[-1]

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stop(self):
        self.child.terminate()
        code = self.child.wait(timeout=30)
        self.log.close()
        return code

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.log.close()


class Mosquitto:
    """A Mosquitto of its own, where anybody may do anything, or what the access list says."""

    def __init__(self, folder):
        self.address = ("127.0.0.1", *free_ports(1))
        self.file = os.path.join(folder, "mosquitto.conf")
        self.start()

    def start(self, access_list=None):
        """Listens, on the same port each time."""
        with open(self.file, "w") as conf:
            conf.write(f"listener {self.address[1]} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
            if access_list is not None:
                # Else it reads the list as a user that may not enter the folder.
                conf.write(f"user root\nacl_file {self.file}.acl\n")
        if access_list is not None:
            with open(f"{self.file}.acl", "w") as file:
                file.write(access_list)
            os.chmod(f"{self.file}.acl", 0o644)
        path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin"
        program = shutil.which("mosquitto", path=path) or sys.exit("mosquitto is missing: tests/install mosquitto")
        self.child = subprocess.Popen([program, "-c", self.file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(READY_WITHIN_S * 20):
            try:
                return socket.create_connection(self.address).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise SystemExit("mosquitto is not ready")

    def stop(self):
        self.child.kill()
        self.child.wait()


class Site:
    """A store with product and key, and the server on it, with its own broker or a Mosquitto. `store`: the URL of a
    PostgreSQL in place of a file. `metrics_port` and the like: one that stays over a restart."""

    def __init__(
        self, program, settings=(), with_mosquitto=False, data=None, store=None, metrics_port=0, api_port=0, mqtt_port=0, **process
    ):
        self.program, self.store = program, {"STORE__URL": store} if store else {}
        self.folder = tempfile.mkdtemp(prefix="thingcall-memory-")
        self.data = data or os.path.join(self.folder, "data")
        models = [os.path.join(FIXTURES, name) for name in ("sample_tsl.json", "sample_tsl_testFb.json")]
        topic = ["--sync-topic", "ext"] if with_mosquitto else []
        self.command("product", "import", "--key", PRODUCT, *topic, *models)
        self.command("key", "add", "--id", KEY, "--secret", SECRET)
        flags = ["--api", "--metrics", "--console"] + ([] if with_mosquitto else ["--mqtt"])
        ports = {"--metrics": metrics_port, "--api": api_port, "--mqtt": mqtt_port}
        free = [word for flag in flags for word in (flag, f"127.0.0.1:{ports.get(flag, 0)}")]
        settings = {"API__CALLS_PER_SECOND_MAX": "0"} | self.store | dict(settings)
        self.mosquitto = Mosquitto(self.folder) if with_mosquitto else None
        if self.mosquitto:
            host, port = self.mosquitto.address
            settings |= {"BROKER__ENABLED": "false", "MQTT__URL": f"mqtt://{host}:{port}"}
        self.start = lambda: Process([program, "serve", *free, "--data", self.data], settings, **process)
        self.server = self.start()
        self.broker = self.mosquitto.address if self.mosquitto else self.server.address("mqtt")

    def killed(self):
        """The server killed with SIGKILL, and started again on the same store; its ports are others."""
        self.server.kill()
        self.server = self.start()
        self.broker = self.mosquitto.address if self.mosquitto else self.server.address("mqtt")

    def command(self, *arguments):
        store = {f"THINGCALL__{name}": value for name, value in self.store.items()}
        command = [self.program, *arguments, "--data", self.data]
        subprocess.run(command, env=os.environ | store, check=True, stdout=subprocess.DEVNULL)

    def register(self, names):
        """Registers devices; their secrets by name."""
        names = list(names)
        with ThreadPoolExecutor(16) as pool:
            return dict(pair for some in pool.map(self._register, (names[n::16] for n in range(16))) for pair in some)

    def _register(self, names):
        connection = http.client.HTTPConnection(*self.server.address("api"))
        secrets = []
        for name in names:
            connection.request("POST", signed_path("RegisterDevice", ProductKey=PRODUCT, DeviceName=name))
            answer = json.loads(connection.getresponse().read())
            if not answer.get("Success"):
                raise KeyError(f"{name} is not registered: {answer}")
            secrets.append((name, answer["Data"]["DeviceSecret"]))
        connection.close()
        return secrets

    def metric(self, name):
        """The sum of a metric's series."""
        connection = http.client.HTTPConnection(*self.server.address("metrics"))
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        lines = (line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def stop(self):
        try:
            return self.server.stop()
        finally:
            if self.mosquitto:
                self.mosquitto.stop()
            shutil.rmtree(self.folder, ignore_errors=True)
