"""The servers that are killed, with products, devices, groups and subscriptions."""

import json
import os
import shutil
import sqlite3
import tempfile

from instance import Instance
from load import ASYNC
from server import KEY, SECRET
from servers import Mosquitto, Postgres, Server, free_ports

HERE = os.path.dirname(os.path.abspath(__file__))
# What of each product's devices goes to which groups. Nobody reads the third.
SUBSCRIBED = {"first": (["device_data"], ["some", "more"]), "second": (["device_data", "device_status"], ["more"]), "third": ([], [])}
DEVICES = {"first": 20, "second": 20, "third": 2}
KINDS = {"device_data": {"result", "property", "event"}, "device_status": {"status"}}
GROUPS = ["some", "more"]
LOG = "SELECT id, kind, product, body FROM messages"
LOG_POSTGRES = "SELECT id, kind, product, convert_from(body, 'UTF8') AS body FROM messages"
SETTINGS = {
    "API__CALLS_PER_SECOND_MAX": "100000",
    "ENGINE__REPLY_TIMEOUT": "4s",
    "SHUTDOWN__DRAIN": "5s",
    # Shorter than they are without: what comes back does so within a run.
    "SUBSCRIPTION__ACKNOWLEDGEMENT_TIMEOUT": "5s",
    "SUBSCRIPTION__RETRY_AFTER": "2s",
    # All consumers of a server that is killed come again at once.
    "SUBSCRIPTION__CONNECTS_PER_MINUTE_PER_GROUP_MAX": "10000",
}


class Serving(Instance):
    """A server that consumers connect to."""

    def __init__(self, name, program, folder, settings):
        self.name, self.program, self.server, self.ahead_s = name, program, None, 0
        self.data = os.path.join(folder, name)
        os.makedirs(os.path.join(self.data, "plugins"))
        self.api, self.metrics, self.mqtt, self.amqp, self.stomp = free_ports(5)
        settings = SETTINGS | settings | {
            "DATA": self.data,
            "INSTANCE__NAME": name,
            "API__LISTEN": f"127.0.0.1:{self.api}",
            "METRICS__LISTEN": f"127.0.0.1:{self.metrics}",
            "CONSOLE__LISTEN": "127.0.0.1:0",
            "SUBSCRIPTION__PLAIN_AMQP_LISTEN": f"127.0.0.1:{self.amqp}",
            "SUBSCRIPTION__PLAIN_STOMP_LISTEN": f"127.0.0.1:{self.stomp}",
        }
        if "MQTT__URL" not in settings:
            settings["BROKER__LISTEN"] = f"127.0.0.1:{self.mqtt}"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("THINGCALL")}
        self.environment |= {f"THINGCALL__{key}": value for key, value in settings.items()}


class Site:
    """One server with a SQLite and its own broker, or two on one PostgreSQL and one Mosquitto."""

    def __init__(self, program, store):
        self.folder = tempfile.mkdtemp(prefix="thingcall-messages-")
        os.chmod(self.folder, 0o755)
        self.program, self.is_shared = program, store == "postgres"
        self.instances, self.around, self.groups = [], [], {}

    def start(self):
        """Gives the names and secrets of devices, by product."""
        if self.is_shared:
            self.postgres = Postgres(self.folder)
            self.around.append(self.postgres)
            self.mosquitto = Mosquitto(self.folder)
            self.around.append(self.mosquitto)
        for name in ("one", "two") if self.is_shared else ("one",):
            self.instances.append(Serving(name, self.program, self.folder, self._settings(name)))
        devices = self._register()
        for one in self.instances:
            one.start()
        return devices

    def _settings(self, name):
        if not self.is_shared:
            return {}
        url = f"mqtt://127.0.0.1:{self.mosquitto.port}"
        return {"STORE__URL": self.postgres.url, "BROKER__ENABLED": "false", "MQTT__URL": url, "MQTT__CLIENT_ID": f"thingcall-{name}"}

    def _register(self):
        """By the command line, as an operator does before the first start."""
        first, devices = self.instances[0], []
        models = [os.path.join(HERE, "model.json"), os.path.join(HERE, "..", "cluster", "model_testFb.json")]
        assert ASYNC.startswith("testFb:")
        for name in GROUPS:
            (made,) = first.lines("group", "add", f"group_{name}")
            self.groups[name] = made["groupId"]
        for product, (topics, groups) in SUBSCRIBED.items():
            first.command("product", "import", "--key", product, *models)
            for number in range(DEVICES[product]):
                (made,) = first.lines("device", "add", "--product", product, "--name", f"d{number}")
                devices.append((product, f"d{number}", made["deviceSecret"]))
            if groups:
                ids = ",".join(self.groups[name] for name in groups)
                first.command("subscription", "set", product, "--topic", ",".join(topics), "--group", ids)
        first.command("key", "add", "--id", KEY, "--secret", SECRET)
        return devices

    def broker(self):
        return "127.0.0.1", self.mosquitto.port if self.is_shared else self.instances[0].mqtt

    def log(self):
        """All messages, the oldest first."""
        if self.is_shared:
            return self.postgres.rows(f"{LOG_POSTGRES} ORDER BY seq")
        (file,) = (name for name in os.listdir(self.instances[0].data) if name.endswith(".db"))
        store = sqlite3.connect(f"file:{os.path.join(self.instances[0].data, file)}?mode=ro", uri=True)
        store.row_factory = sqlite3.Row
        try:
            return [dict(row) | {"body": bytes(row["body"]).decode()} for row in store.execute(f"{LOG} ORDER BY seq")]
        finally:
            store.close()

    def standing(self, group):
        """How many messages wait for a group, by how they do."""
        (shown,) = self.instances[0].lines("group", "show", self.groups[group])
        return {name: shown[name] for name in ("unread", "triedAgain", "deadLetters", "lost")}

    def keep(self):
        """What is needed to find out why something is wrong."""
        kept = tempfile.mkdtemp(prefix="thingcall-messages-kept-")
        shutil.copytree(self.folder, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("postgres", "mosquitto"))
        if self.is_shared:
            with open(os.path.join(kept, "calls"), "w") as file:
                file.write("\n".join(self.postgres.ask("SELECT row_to_json(calls) FROM calls")))
        return kept

    def stop(self):
        for one in self.instances:
            if one.server:
                one.stop()
        for server in reversed(self.around):
            server.stop()
        # Those that never got as far as to be used.
        for server in list(Server.living):
            server.end()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def message_id(row):
    """As consumers are told it."""
    return f"{row['id']:019}"


def request_id(body):
    """What a message's body says that it is about: a call, or a report by its device's own id."""
    return str(json.loads(body).get("requestId", ""))
