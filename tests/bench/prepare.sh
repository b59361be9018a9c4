# Part of tests/bench/run: installs what is missing, builds, and writes down what is measured where.

[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || tests/install postgresql
install_missing mosquitto:mosquitto redis-server:redis-server rabbitmq-server:rabbitmq-server nats-server:nats-server python3:python3 npm:npm curl:curl

commit="$(git describe --always --dirty 2>/dev/null || echo unknown)"
if [ -n "$program" ]; then
    commit="$commit (program given)"
    [ -n "$bench" ] || cargo build --release -p bench
else
    cargo build --release -p thingcall -p bench -p echo
    program="$target/release/thingcall"
fi
[ -n "$bench" ] || bench="$target/release/bench"
plugin="$(dirname "$program")/libecho.so"

# The peers, with a Node of their own, once for each state of their folder.
peers="$target/bench-peers"
if wanted_peers; then
    state="$(cd "$here/peers" && find . -type f | sort | xargs sha256sum)"
    if [ "$(cat "$peers/installed.txt" 2>/dev/null)" != "$state" ]; then
        rm -rf "$peers"
        cp -r "$here/peers" "$peers"
        python3 -c 'import ensurepip' 2>/dev/null || tests/install python3-venv
        python3 -m venv "$peers/fastapi/venv"
        "$peers/fastapi/venv/bin/pip" install -q --disable-pip-version-check -r "$peers/fastapi/requirements.txt"
        (cd "$peers" && npm install --no-audit --no-fund --no-package-lock --loglevel=error)
        # With its own Node: some packages ask which one they are installed for.
        export PATH="$peers/node_modules/.bin:$PATH"
        for peer in moleculer nats nestjs node-red; do
            (cd "$peers/$peer" && npm install --no-audit --no-fund --no-package-lock --loglevel=error)
        done
        (cd "$peers/nestjs" && npm run --silent build)
        printf '%s\n' "$state" >"$peers/installed.txt"
    fi
fi
node="$peers/node_modules/.bin/node"

version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown; }
python3 - "$folder/about.json" "$command_line" "$rounds" "$aside_rounds" "$seconds" "$commit" \
    "$here/peers" "$(version mosquitto)" "$(version rabbitmq-server)" "$(version nats-server)" <<'PYTHON'
import json, platform, sys, time
from pathlib import Path

file, command, rounds, aside_rounds, seconds, commit, peers, mosquitto, rabbitmq, nats = sys.argv[1:]
cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
cores = sum(line.startswith("processor") for line in open("/proc/cpuinfo"))
memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
packages = {}
for package in sorted(Path(peers).glob("**/package.json")):
    packages |= json.loads(package.read_text())["dependencies"]
packages |= dict(line.split("==") for line in (Path(peers) / "fastapi/requirements.txt").read_text().split())
about = {
    "date": time.strftime("%Y-%m-%d", time.gmtime()),
    "command": command.strip(),
    "commit": commit,
    "rounds": int(rounds),
    "aside_rounds": int(aside_rounds),
    "seconds": int(seconds),
    "machine": f"{cores} x {cpu}, {memory // 1024} MiB, Linux {platform.release()}",
    "mosquitto": mosquitto,
    "rabbitmq": rabbitmq,
    "nats-server": nats,
    "packages": packages,
}
json.dump(about, open(file, "w"), indent=1)
PYTHON
