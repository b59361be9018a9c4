"""Pictures of the console of three servers: an empty one, a crowded one, and one where things fail."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
PRODUCT = "a1BwAGVxxxx"
MODELS = ["tests/fixtures/sample_tsl.json", "tests/fixtures/sample_tsl_testFb.json"]
KEY = ("shots", "shots-secret")
CROWD = 10_000
LONG = "a-device.with:a-name@of-32-lette"
# What calls wait for here.
ENVIRONMENT = {
    "THINGCALL__RECORDS__KEEP": "all",
    "THINGCALL__ENGINE__REPLY_TIMEOUT": "1s",
    **{f"THINGCALL__{name}__LISTEN": "127.0.0.1:0" for name in ("API", "BROKER", "METRICS", "CONSOLE")},
}


class Server:
    """A server with data of its own."""

    def __init__(self, program, folder, settings=None):
        self.program, self.data = program, folder / "data"
        self.environment = {**os.environ, **ENVIRONMENT, **(settings or {})}
        self.run("key", "add", "--id", KEY[0], "--secret", KEY[1])
        self.log = (folder / "log").open("wb")
        self.child = subprocess.Popen(
            [program, "serve", "--data", self.data], stdout=subprocess.PIPE, stderr=self.log, env=self.environment, text=True
        )
        ready = next((line for line in self.child.stdout if line.startswith("ready")), None)
        if ready is None:
            sys.exit(f"the server does not start: {(folder / 'log').read_text()}")
        self.console = re.search(r"console=(\S+)", ready)[1]
        self.others = []

    def run(self, *arguments, fails=False):
        done = subprocess.run(
            [self.program, *arguments, "--data", self.data], env=self.environment, capture_output=True, text=True
        )
        if done.returncode and not fails:
            sys.exit(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def model(self):
        self.run("product", "import", *MODELS)

    def beside(self, *arguments, until):
        """A command that runs on; waits for a line of it."""
        child = subprocess.Popen(
            [self.program, *arguments, "--data", self.data], env=self.environment, stdout=subprocess.PIPE, text=True
        )
        self.others.append(child)
        for line in child.stdout:
            if until in line:
                return
        sys.exit(f"{arguments} ended")

    def stop(self):
        for child in [*self.others, self.child]:
            child.terminate()
            child.wait()


def shots(server, state, folder, pages):
    options = {
        "url": f"http://{server.console}", "id": KEY[0], "secret": KEY[1], "folder": str(folder), "state": state, "pages": pages,
    }
    subprocess.run(["node", HERE / "shots.js", json.dumps(options)], check=True)


def pages(**more):
    every = ("products", "devices", "calls", "plugins", "explorer", "signature", "results", "keys", "settings", "audit")
    return {"overview": "/", **{page: f"/{page}" for page in every}, **more}


def of_device(name):
    return {
        "product": f"/products/{PRODUCT}",
        "devices-of-product": f"/devices?product={PRODUCT}",
        "device": f"/devices/{PRODUCT}/{name}",
        "invoke": f"/explorer/InvokeThingService?ProductKey={PRODUCT}&DeviceName={name}",
    }


def last_call(server, *filters):
    calls = [json.loads(line) for line in server.run("calls", "--json", "--limit", "1", *filters).splitlines()]
    return f"/calls/{calls[-1]['requestId']}" if calls else "/calls"


def empty(program, scratch, folder):
    server = Server(program, scratch)
    shots(server, "empty", folder, pages())
    server.stop()


def crowded(program, scratch, folder):
    server = Server(program, scratch)
    server.model()
    names = scratch / "devices.jsonl"
    device = lambda number: {"productKey": PRODUCT, "deviceName": f"crowd-{number:05}", "deviceSecret": f"{number:032x}"}
    names.write_text("".join(json.dumps(device(number)) + "\n" for number in range(CROWD)))
    server.run("device", "import", names)
    server.beside("device", "simulate", "--product", PRODUCT, "--count", "20", until="sim-0020")
    for number in range(120):
        server.run("call", f"{PRODUCT}/sim-{number % 20 + 1:04}", "testFb:testService", '{"param1":1}', fails=True)
    shots(server, "crowded", folder, pages(**of_device("sim-0001"), call=last_call(server)))
    server.stop()


def failing(program, scratch, folder):
    server = Server(program, scratch)
    server.model()
    (server.data / "plugins").mkdir(parents=True, exist_ok=True)
    (server.data / "plugins" / "libbroken.so").write_text("no library")
    server.run("device", "add", "--product", PRODUCT, "--name", LONG)
    server.beside("device", "simulate", f"{PRODUCT}/{LONG}", "--silent", until=LONG)
    for _ in range(12):
        server.run("call", f"{PRODUCT}/{LONG}", "testFb:testService", '{"param1":1}', fails=True)
    server.run("call", f"{PRODUCT}/nobody", "testFb:testService", '{"param1":1}', fails=True)
    timeout = last_call(server, "--outcome", "timeout")
    shots(server, "failing", folder, pages(**of_device(LONG), call=timeout))
    server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    options = parser.parse_args()
    for state in (empty, crowded, failing):
        with tempfile.TemporaryDirectory() as scratch:
            state(options.program, pathlib.Path(scratch), options.folder)


main()
