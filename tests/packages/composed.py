"""Starts one of the compose files and observe.yaml by podman-compose, waits as the files say, has a device called, and ends it.

Arguments: the name, the folder `compose`, podman, podman-compose, the Python with the SDKs.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import yaml

NAME, FOLDER, PODMAN, COMPOSE, SDK = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:6]
FILES = [FOLDER / NAME / "compose.yaml", FOLDER / "observe.yaml"]
# Debian has no Grafana.
LEFT_OUT = {"grafana"}
WITHIN = 180


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def compose(*arguments):
    files = [part for file in FILES for part in ("-f", str(file))]
    return run(COMPOSE, "--podman-path", PODMAN, "-p", f"thingcall-{NAME}", *files, *arguments, cwd=FOLDER / NAME)


def container(service):
    return run(PODMAN, "ps", "-aq", "--filter", f"label=com.docker.compose.service={service}",
               "--filter", f"label=com.docker.compose.project=thingcall-{NAME}").strip()


def log(service):
    done = subprocess.run([PODMAN, "logs", "--tail", "30", container(service)], capture_output=True, text=True)
    return done.stdout + done.stderr


def wait(service, condition):
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        state = json.loads(run(PODMAN, "inspect", container(service)))[0]["State"]
        if condition == "service_completed_successfully" and state["Status"] == "exited":
            if state["ExitCode"]:
                break
            return
        if condition == "service_healthy":
            if state["Status"] == "exited":
                break
            if subprocess.run([PODMAN, "healthcheck", "run", container(service)], capture_output=True).returncode == 0:
                return
        time.sleep(0.5)
    sys.exit(f"{service} of {NAME}: not {condition}\n{log(service)}")


def address(service):
    networks = json.loads(run(PODMAN, "inspect", container(service)))[0]["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"]


def main():
    services = {}
    for file in FILES:
        services.update(yaml.safe_load(file.read_text())["services"])
    services = {name: service for name, service in services.items() if name not in LEFT_OUT}
    started = []
    compose("config")
    try:
        while len(started) < len(services):
            for name, service in services.items():
                needs = service.get("depends_on", {})
                if name in started or any(one not in started for one in needs):
                    continue
                for one, how in needs.items():
                    wait(one, how["condition"])
                compose("up", "-d", "--no-build", "--no-deps", name)
                started.append(name)
        for name, service in services.items():
            if "healthcheck" in service:
                wait(name, "service_healthy")
        instances = [name for name, service in services.items() if service["image"] == "thingcall"]
        for name in instances:
            about = json.loads(run(PODMAN, "inspect", container(name)))[0]
            assert about["Config"]["User"] == "10001:10001", about["Config"]["User"]
            run(PODMAN, "exec", container(name), "thingcall", "health", "--ready")
        call(services, instances)
        scraped(len(instances))
        print(f"{NAME}: well: {', '.join(started)}", flush=True)
    except SystemExit:
        print("".join(f"==== {name}\n{log(name)}" for name in started if container(name)), file=sys.stderr)
        raise
    finally:
        compose("down", "-v", "-t", "20")


def call(services, instances):
    """Through what callers and devices are given: the load balancer and the broker, where there are such."""
    secret = (FOLDER / NAME / "secrets/first-key").read_text().strip()
    plain = "users" in services
    argument = {"api": address("haproxy" if "haproxy" in services else instances[0]),
                "mqtt": address("broker" if "broker" in services else instances[0]), "secret": secret,
                "password": "a-device's-own" if plain else None}
    child = subprocess.Popen([SDK, str(Path(__file__).with_name("composed_call.py")), json.dumps(argument)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    device = json.loads(child.stdout.readline())
    if plain:
        line = f"{device['device']}&{device['product']}:{argument['password']}\n"
        run(PODMAN, "exec", "-i", container("broker"), "sh", "/users.sh", "devices", input=line)
        run(PODMAN, "kill", "-s", "HUP", container("broker"))
    child.stdin.write("go\n")
    child.stdin.close()
    said = child.stdout.read()
    if child.wait() or "called" not in said:
        sys.exit(f"calls of {NAME}: {said}")
    print(f"{NAME}: {said.strip()}", flush=True)


def scraped(count):
    """Prometheus has found each instance by the one name, and taken the rules."""
    end = time.monotonic() + WITHIN
    exec_ = [PODMAN, "exec", container("prometheus"), "wget", "-q", "-O", "-"]
    while True:
        found = json.loads(run(*exec_, "http://127.0.0.1:9090/api/v1/query?query=up%7Bjob%3D%22thingcall%22%7D"))
        values = [one["value"][1] for one in found["data"]["result"]]
        if values == ["1"] * count:
            break
        if time.monotonic() > end:
            sys.exit(f"prometheus of {NAME} sees {found}")
        time.sleep(1)
    groups = json.loads(run(*exec_, "http://127.0.0.1:9090/api/v1/rules"))["data"]["groups"]
    assert groups, "Prometheus has no rules"
    print(f"{NAME}: Prometheus sees {count} and has {len(groups)} groups of rules", flush=True)


main()
