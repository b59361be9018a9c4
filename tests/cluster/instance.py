"""An instance of thingcall, which can be killed and started again on its ports."""

import json
import os
import signal
import subprocess

from ports import free_ports
from servers import USER, Server, answers, wait_until

READY_FOR_S = 60


class Instance:
    """One of them. `urls` are those of the servers as it reaches them; `ahead` is a library that sets its clock ahead."""

    def __init__(self, name, program, folder, urls, ahead=None, ahead_s=0):
        self.name, self.program, self.ahead, self.ahead_s = name, program, ahead, ahead_s
        self.data = os.path.join(folder, name)
        os.makedirs(os.path.join(self.data, "plugins"))
        self.api, self.metrics = free_ports(2)
        settings = {
            "DATA": self.data,
            "INSTANCE__NAME": name,
            "STORE__URL": urls["store"],
            "BROKER__ENABLED": "false",
            "MQTT__URL": urls["mqtt"],
            # Then the broker keeps replies for it while they are cut from each other.
            "MQTT__CLIENT_ID": f"thingcall-{name}",
            "AMQP__URL": urls["amqp"],
            "AMQP__USERNAME": USER,
            "AMQP__PASSWORD": USER,
            "AMQP__MQTT_DEVICES": "true",
            "API__LISTEN": f"127.0.0.1:{self.api}",
            "API__CALLS_PER_SECOND_MAX": "100000",
            "METRICS__LISTEN": f"127.0.0.1:{self.metrics}",
            "CONSOLE__LISTEN": "127.0.0.1:0",
            "ENGINE__REPLY_TIMEOUT": "4s",
            "SHUTDOWN__DRAIN": "5s",
        }
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("THINGCALL")}
        self.environment |= {f"THINGCALL__{key}": value for key, value in settings.items()}
        self.server = None

    def start(self, wait=True):
        command = [self.program, "serve"]
        if self.ahead_s:
            # The clock of the day alone: what counts time counts it as ever.
            self.environment |= {"AHEAD_S": str(self.ahead_s), "LD_PRELOAD": self.ahead}
        self.server = Server(command, os.path.dirname(self.data), self.name, env=self.environment)
        if wait:
            wait_until(self.ready, f"{self.name} is ready")

    def ready(self):
        if self.server.child.poll() is not None:
            raise SystemExit(f"{self.name} ended: {self.log()[-3000:]}")
        return answers(self.metrics) and self.asked("/readyz") == 200

    def asked(self, path):
        found = subprocess.run(
            ["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{self.metrics}{path}"],
            capture_output=True, text=True,
        )
        return int(found.stdout or 0)

    def command(self, *arguments, check=True):
        found = subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True)
        if check and found.returncode != 0:
            raise SystemExit(f"{arguments}: {found.stdout}{found.stderr}")
        return found.stdout

    def lines(self, *arguments):
        return [json.loads(line) for line in self.command(*arguments, "--json").splitlines()]

    def kill(self):
        self.server.end(signal.SIGKILL)

    def pause(self, on):
        self.server.send(signal.SIGSTOP if on else signal.SIGCONT)

    def stop(self):
        # One that stands still hears nothing.
        self.pause(False)
        self.server.end()

    def log(self):
        with open(os.path.join(os.path.dirname(self.data), f"{self.name}.log")) as file:
            return file.read()
