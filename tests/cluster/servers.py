"""The servers around thingcall: PostgreSQL, Mosquitto, RabbitMQ, HAProxy; each of this run's own."""

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from ports import free_ports

READY_WITHIN_S = 120
USER = "thingcall"


def wait_until(holds, what):
    for _ in range(READY_WITHIN_S * 20):
        if holds():
            return
        time.sleep(0.05)
    raise SystemExit(f"not within {READY_WITHIN_S} s: {what}")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class Server:
    """A process with all that it starts."""

    living = []

    def __init__(self, command, folder, name, **more):
        self.log = open(os.path.join(folder, f"{name}.log"), "a+")
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True, **more
        )
        self.living.append(self)

    def send(self, which):
        try:
            os.killpg(self.child.pid, which)
        except ProcessLookupError:
            pass

    def end(self, how=signal.SIGTERM):
        self.send(how)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.child.wait()
        self.send(signal.SIGKILL)
        self.log.close()
        if self in self.living:
            self.living.remove(self)


class Postgres:
    """PostgreSQL, which does not run as root."""

    def __init__(self, folder):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))[-1]
        self.folder = os.path.join(folder, "postgres")
        os.mkdir(self.folder)
        user = pwd.getpwnam("postgres")
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.run_as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        (self.port,) = free_ports(1)
        self.data = os.path.join(self.folder, "data")
        initdb = [f"{self.bin}/initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self.run_as)
        self.start()
        self.ask("CREATE DATABASE thingcall", "postgres")
        self.url = f"postgres://{USER}@127.0.0.1:{self.port}/thingcall"

    def start(self):
        command = [f"{self.bin}/postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder, "-h", "127.0.0.1"]
        # Its connections are few, and a run on a slow disk is still one about lost calls.
        command += ["-c", "max_connections=100"]
        self.server = Server(command, os.path.dirname(self.folder), "postgres", cwd=self.folder, **self.run_as)
        ready = [f"{self.bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL answers")

    def stop(self):
        """A fast shutdown: connections are ended, what was committed is kept."""
        self.paused(False)
        self.server.child.send_signal(signal.SIGINT)
        self.server.end(signal.SIGINT)

    def ask(self, sql, database="thingcall"):
        command = ["psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, database, "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    def rows(self, sql):
        """The rows of a query, each a dictionary."""
        return [json.loads(line) for line in self.ask(f"SELECT row_to_json(t) FROM ({sql}) t")]

    def paused(self, on):
        """Stopped in its tracks: all of its processes, which make sessions of their own."""
        pids = subprocess.run(["pgrep", "-f", f"postgres.*{self.data}"], capture_output=True, text=True).stdout.split()
        children = [pid for parent in pids for pid in _children(parent)]
        for pid in {*pids, *children}:
            try:
                os.kill(int(pid), signal.SIGSTOP if on else signal.SIGCONT)
            except ProcessLookupError:
                pass


def _children(pid):
    found = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True)
    return found.stdout.split()


class Mosquitto:
    """Keeps the sessions of its devices over a restart."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "mosquitto")
        os.mkdir(self.folder)
        (self.port,) = free_ports(1)
        self.file = os.path.join(self.folder, "mosquitto.conf")
        with open(self.file, "w") as conf:
            conf.write(
                f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n"
                f"persistence true\npersistence_location {self.folder}/\nmax_queued_messages 0\nmax_inflight_messages 200\n"
            )
        self.start()

    def start(self):
        self.server = Server(["mosquitto", "-c", self.file], self.folder, "log")
        wait_until(lambda: answers(self.port), "Mosquitto answers")

    def stop(self):
        self.server.end()


class Rabbit:
    """RabbitMQ with its MQTT plugin, where one user may do everything."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "rabbitmq")
        os.mkdir(self.folder)
        self.amqp, self.mqtt, self.dist, names = free_ports(4)
        user = {"name": USER, "password": USER, "tags": ""}
        allowed = {"user": USER, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {"vhosts": [{"name": "/"}], "users": [user], "permissions": [allowed]}
        self._write("definitions.json", json.dumps(definitions))
        self._write("enabled_plugins", "[rabbitmq_mqtt].")
        self._write("env", "")
        self._write(
            "rabbitmq.conf",
            f"listeners.tcp.1 = 127.0.0.1:{self.amqp}\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.mqtt}\n"
            f"mqtt.subscription_ttl = 86400000\nload_definitions = {self.folder}/definitions.json\n"
            "disk_free_limit.absolute = 1MB\nlog.console.level = warning\n",
        )
        self.environment = os.environ | {
            "HOME": self.folder,
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_CONF_ENV_FILE": f"{self.folder}/env",
            "RABBITMQ_NODENAME": f"cluster-{names}@localhost",
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/data",
            "RABBITMQ_LOG_BASE": f"{self.folder}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/enabled_plugins",
            "RABBITMQ_DIST_PORT": str(self.dist),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self.names = Server(["epmd", "-port", str(names), "-address", "127.0.0.1"], self.folder, "epmd")
        wait_until(lambda: answers(names), "epmd answers")
        self.start()

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def start(self):
        command = ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
        self.server = Server(command, self.folder, "rabbit", env=self.environment, cwd=self.folder)
        wait_until(lambda: answers(self.mqtt) and answers(self.amqp), "RabbitMQ answers")

    def stop(self):
        self.server.end()

    def close(self):
        self.stop()
        self.names.end()


class Haproxy:
    """The balancer: TCP, to the instances whose /readyz says so."""

    def __init__(self, folder, instances):
        (self.port,) = free_ports(1)
        lines = [
            "defaults",
            "  mode tcp",
            "  timeout connect 2s",
            "  timeout client 60s",
            "  timeout server 60s",
            "frontend api",
            f"  bind 127.0.0.1:{self.port}",
            "  default_backend instances",
            "backend instances",
            "  balance roundrobin",
            "  option httpchk GET /readyz",
            "  http-check expect status 200",
            "  option redispatch",
        ]
        for one in instances:
            lines.append(f"  server {one.name} 127.0.0.1:{one.api} check port {one.metrics} inter 300ms fall 1 rise 2")
        file = os.path.join(folder, "haproxy.cfg")
        with open(file, "w") as config:
            config.write("\n".join(lines) + "\n")
        self.server = Server([shutil.which("haproxy"), "-db", "-f", file], folder, "haproxy")
        wait_until(lambda: answers(self.port), "HAProxy answers")

    def stop(self):
        self.server.end()
