"""A store with a million devices: how soon a server on it is ready, what it holds in memory, what a cold call costs."""

import argparse
import http.client
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "cluster"))
import servers
from server import PRODUCT, Site, signed_path

READY_WITHIN_S = 2.0
RESIDENT_MAX_BYTES = 200_000_000
COLUMNS = "product, name, iot_id, secret, enabled, created_at, activated_at, last_seen_at, address, came_from, sync_topic"


def fill(file, count):
    """Registers devices behind the store's back; each was seen once, so that no column is empty for want of use."""

    def row(number):
        name, id = f"fleet-{number:07}", f"{number:07}{'x' * 21}00"
        return PRODUCT, name, id, f"{number:032}", True, 1, 1, 1, "192.0.2.1:40000", "embedded", "ext"

    with sqlite3.connect(file) as store:
        marks = ", ".join("?" * len(COLUMNS.split(", ")))
        store.executemany(f"INSERT INTO devices ({COLUMNS}) VALUES ({marks})", map(row, range(count)))


def fill_postgres(postgres, count):
    """The same."""
    postgres.ask(
        f"INSERT INTO devices ({COLUMNS}) SELECT '{PRODUCT}', 'fleet-' || n, n || repeat('x', 21) || '00', lpad(n, 32, '0'), "
        f"TRUE, 1, 1, 1, '192.0.2.1:40000', 'embedded', 'ext' FROM (SELECT lpad(number::TEXT, 7, '0') AS n FROM "
        f"generate_series(0, {count - 1}) AS number) AS numbers",
    )
    postgres.ask("ANALYZE devices")


def started(site):
    """Starts the server again; how long it took until it was ready."""
    began = time.monotonic()
    site.server = site.start()
    return time.monotonic() - began


def calls(site, numbers):
    """Calls devices, one after the other; nobody is connected. How long each took, in milliseconds."""
    connection = http.client.HTTPConnection(*site.server.address("api"))
    took = []
    for number in numbers:
        path = signed_path(
            "InvokeThingService",
            ProductKey=PRODUCT,
            DeviceName=f"fleet-{number:07}",
            Identifier="testFb:testService",
            Args='{"param1": 1}',
        )
        began = time.monotonic()
        connection.request("POST", path)
        answer = json.loads(connection.getresponse().read())
        took.append((time.monotonic() - began) * 1000)
        if answer.get("Code") != "iot.messagebroker.OFFLINE":
            raise SystemExit(f"a call ended otherwise: {answer}")
    connection.close()
    return took


def main():
    parser = argparse.ArgumentParser(prog="tests/memory/run fleet")
    parser.add_argument("--program", required=True)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--postgres", action="store_true", help="in a PostgreSQL in place of a file")
    args = parser.parse_args()
    if not args.postgres:
        return look(args, Site(args.program))
    with tempfile.TemporaryDirectory(prefix="thingcall-memory-") as folder:
        # PostgreSQL runs as a user of its own.
        os.chmod(folder, 0o711)
        postgres = servers.Postgres(folder)
        try:
            look(args, Site(args.program, store=postgres.url), postgres)
        finally:
            postgres.stop()


def look(args, site, postgres=None):
    try:
        site.server.stop()
        if postgres:
            fill_postgres(postgres, args.devices)
        else:
            fill(os.path.join(site.data, "thingcall.db"), args.devices)
        seconds = started(site)
        resident = site.server.resident()
        numbers = random.Random(1).sample(range(args.devices), args.calls)
        cold = statistics.median(calls(site, numbers))
        warm = statistics.median(calls(site, numbers))
        misses, after = site.metric('thingcall_store_device_look_ups_total{result="miss"}'), site.server.resident()
        print(f"{args.devices} devices: ready in {seconds:.2f} s, resident {resident / 1e6:.0f} MB")
        print(f"{args.calls} called: cold {cold:.2f} ms, warm {warm:.2f} ms (medians), resident {after / 1e6:.0f} MB")
        # Memory is in parts, of which one may be full before the others.
        if not args.calls <= misses <= 1.1 * args.calls:
            raise SystemExit(f"{misses:.0f} look-ups went to the store, {args.calls} had to")
        if seconds > READY_WITHIN_S or resident > RESIDENT_MAX_BYTES:
            raise SystemExit(f"at most {READY_WITHIN_S} s and {RESIDENT_MAX_BYTES / 1e6:.0f} MB are allowed")
    finally:
        site.stop()


if __name__ == "__main__":
    main()
