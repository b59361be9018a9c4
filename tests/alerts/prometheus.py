"""A Prometheus of the test's own, with the rules that are shipped."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from ports import free_ports

DEPLOYED = os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "prometheus")
UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
READY_WITHIN_S = 30


def divided(text, faster):
    """The text with the times of rules, and no others, so many times shorter."""

    def shorter(found):
        return f"{found[1]}{int(found[2]) * UNITS_MS[found[3]] // faster}ms"

    return re.sub(r"(\[|for: |_interval: |_timeout: )(\d+)([smh])\b", shorter, text)


class Prometheus:
    """It scrapes these servers: addresses by the names that alerts have as `instance`."""

    def __init__(self, folder, faster, servers):
        self.folder, self.faster = folder, faster
        for name in ("rules.yml", "alerts.yml"):
            with open(os.path.join(DEPLOYED, name)) as file:
                self.write(name, divided(file.read(), faster))
        with open(os.path.join(DEPLOYED, "prometheus.yml")) as file:
            text = file.read()
        scrape = '    static_configs:\n      - targets: ["127.0.0.1:9464"]\n'
        assert scrape in text, "the shipped configuration has another target"
        targets = [f'      - targets: ["{address}"]\n        labels: {{instance: {name}}}\n' for name, address in servers.items()]
        text = text.replace(scrape, "    static_configs:\n" + "".join(targets))
        self.write("prometheus.yml", divided(text, faster))
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        program = shutil.which("prometheus") or sys.exit("prometheus is missing: tests/install prometheus")
        flags = [
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={self.address}",
            f"--query.lookback-delta={300_000 // faster}ms",
        ]
        self.log = open(os.path.join(folder, "prometheus.log"), "w")
        self.child = subprocess.Popen([program, *flags], stdout=self.log, stderr=subprocess.STDOUT)
        self._ready()

    def _ready(self):
        for _ in range(READY_WITHIN_S * 20):
            try:
                return self.get("/-/ready")
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"prometheus is not ready:\n{open(self.log.name).read()}")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            return answer.read()

    def firing(self):
        """Alerts that fire: pairs of name and instance."""
        alerts = json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]
        return {(one["labels"]["alertname"], one["labels"].get("instance", "")) for one in alerts if one["state"] == "firing"}

    def query(self, expression, seconds=None, step=None):
        """What an expression is now, or in the last seconds."""
        now = time.time()
        if seconds is None:
            path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression, "time": now})
        else:
            about = {"query": expression, "start": now - seconds, "end": now, "step": step}
            path = "/api/v1/query_range?" + urllib.parse.urlencode(about)
        return json.loads(self.get(path))["data"]["result"]

    def stop(self):
        self.child.terminate()
        self.child.wait()
        self.log.close()
