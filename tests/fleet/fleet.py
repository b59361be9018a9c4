"""One call of each of many simulated devices, interrupted and killed, with the devices' own count beside what was told."""

import argparse
import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

PRODUCT = "a1BwAGVxxxx"
MODELS = ["tests/fixtures/sample_tsl.json", "tests/fixtures/sample_tsl_testFb.json"]
# Longer than anything here takes: who waits so long has failed.
PATIENCE_SECONDS = 600


class Process:
    """A program that runs beside this one, with its log, and what it took of memory at most."""

    def __init__(self, arguments, log, environment=None):
        self.log = log
        with open(log, "wb") as file:
            self.child = subprocess.Popen(
                arguments, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
            )
        self.memory_kib = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while self.child.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
            except OSError:
                return
            if high := re.search(r"VmHWM:\s+(\d+) kB", status):
                self.memory_kib = max(self.memory_kib, int(high[1]))
            time.sleep(0.05)

    def resident_kib(self):
        """What it takes now."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def ends(self):
        return self.child.wait(PATIENCE_SECONDS)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def until(what, done):
    """Waits until something is so."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not (value := done()):
        if time.monotonic() > limit:
            sys.exit(f"not within {PATIENCE_SECONDS} s: {what}")
        time.sleep(0.05)
    return value


def counted(log, word):
    """How many lines of a log have this word."""
    with open(log, "rb") as file:
        return sum(word in line for line in file)


def asked(log):
    """How often each device was called, as the devices say."""
    calls = collections.Counter()
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            if "  < " in line:
                calls[line.split("  < ")[0].split()[-1]] += 1
    return calls


def ends(results):
    """The ends in a file of results, by device."""
    told = collections.defaultdict(list)
    with open(results, encoding="utf-8") as file:
        for line in file:
            # What a kill cut off is no line.
            if line.endswith("\n") and "outcome" in (value := json.loads(line)):
                told[value["device"]].append(value)
    return told


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--fail", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thingcall-fleet-") as folder:
        sys.exit(Run(options, pathlib.Path(folder)).all())


class Run:
    def __init__(self, options, folder):
        self.options, self.folder, self.data = options, folder, folder / "data"
        self.results = folder / "results.jsonl"
        self.processes = []
        self.command_kib = 0

    def tool(self, *arguments):
        subprocess.run([self.options.program, *arguments], check=True, capture_output=True)

    def start(self, name, *arguments, environment=None):
        process = Process([self.options.program, *arguments], self.folder / f"{name}.log", environment)
        self.processes.append(process)
        return process

    def all(self):
        try:
            return self.run()
        finally:
            for process in reversed(self.processes):
                process.stop()

    def run(self):
        count, rate = self.options.devices, self.options.rate
        data = ["--data", str(self.data)]
        self.tool("product", "import", *data, "--key", PRODUCT, *MODELS)
        self.tool("key", "add", *data, "--id", "testid", "--secret", "testsecret")
        here = [word for listener in ("--api", "--mqtt", "--metrics", "--console") for word in (listener, "127.0.0.1:0")]
        # Files are for devices.
        few = {"THINGCALL__API__CALLS_PER_SECOND_MAX": "0", "THINGCALL__API__CONNECTIONS_MAX": "1500"}
        server = self.start("server", "serve", *here, *data, environment=few)
        until("the server is ready", lambda: counted(server.log, b"ready api="))
        devices = ["--product", PRODUCT, "--count", str(count), "--fail", str(self.options.fail)]
        simulated = self.start("devices", "device", "simulate", *devices, *data)
        until("all devices are online", lambda: counted(simulated.log, b"  online") >= count)
        before = server.resident_kib()
        print(f"{count} devices are online; the server takes {before // 1024} MiB", flush=True)

        self.part("interrupted", lambda: self.progress() >= count * 3 // 10, signal.SIGINT)
        self.part("killed", lambda: self.progress() >= count * 6 // 10, signal.SIGKILL)
        began, so_far = time.monotonic(), self.progress()
        ended = self.part("gone on with", None, None)
        took = time.monotonic() - began
        summary = json.loads(pathlib.Path(ended.log).read_text().splitlines()[-1])
        print(f"the last part made {(count - so_far) / took:.0f} calls a second of {rate} that were asked for", flush=True)
        idle = self.part("asked for once more", None, None)
        again = json.loads(pathlib.Path(idle.log).read_text().splitlines()[-1])
        until("the devices told what they got", lambda: sum(asked(simulated.log).values()) >= count - 2000)
        print(f"memory at most: server {server.memory_kib // 1024} MiB, command {self.command_kib // 1024} MiB", flush=True)
        return self.verdict(asked(simulated.log), summary, again)

    def progress(self):
        return counted(self.results, b'"outcome"') if self.results.exists() else 0

    def part(self, name, when, what):
        """Runs the command to its end, or ends it so once it is so far."""
        own = ["--json", "--results", str(self.results), "--data", str(self.data), "--all", PRODUCT]
        pace = ["--rate", f"{self.options.rate}/s", "--in-flight", str(self.options.in_flight)]
        process = self.start(name.replace(" ", "-"), "call", *own, *pace, "Measure", '{"channel":1}')
        if when is not None:
            until(f"{name}: it is so far", lambda: when() or process.child.poll() is not None)
            process.child.send_signal(what)
        code = process.ends()
        self.command_kib = max(self.command_kib, process.memory_kib)
        print(f"{name} at {self.progress()} devices; status {code}", flush=True)
        return process

    def verdict(self, called, summary, again):
        count, told = self.options.devices, ends(self.results)
        outcomes = collections.Counter(end[0]["outcome"] for end in told.values())
        wrong = []

        def must(holds, what):
            if not holds:
                wrong.append(what)

        must(len(told) == count, f"{count - len(told)} devices have no end")
        must(all(len(end) == 1 for end in told.values()), "a device has more than one end")
        twice = sum(1 for calls in called.values() if calls > 1)
        must(twice == 0, f"{twice} devices were called more than once")
        # Of what was under way at the kill nobody knows; all others were called.
        must(outcomes["unknown"] <= self.options.in_flight, f"{outcomes['unknown']} are unknown")
        certain = {device for device, end in told.items() if end[0]["outcome"] in ("ok", "device_error")}
        missing = sum(1 for device in certain if called[device] != 1)
        must(missing == 0, f"{missing} devices are told to have answered and were not called once")
        must(outcomes["failed"] == 0, f"{outcomes['failed']} were not called at all")
        failed = outcomes["device_error"] / count * 100
        must(abs(failed - self.options.fail) <= 1.0, f"{failed:.1f} % failed")
        must(summary["devices"] == count == again["endedBefore"], f"told: {summary}, and then {again}")
        print(
            f"{count} devices: {outcomes['ok']} succeeded, {outcomes['device_error']} failed, {outcomes['unknown']} unknown; "
            f"the devices got {sum(called.values())} calls, none of them twice: {twice == 0}",
            flush=True,
        )
        for what in wrong:
            print(f"WRONG: {what}", flush=True)
        return 1 if wrong else 0


main()
