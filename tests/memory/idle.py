"""Resident bytes of each idle device: the server with its embedded broker, and the broker library alone beside it."""

import argparse
import asyncio
import statistics

from mqtt import Device
from server import Process, Site, all_files

# As many at once as a fleet that comes back after a power cut, not to the server's backlog.
CONNECTING = 100
FILES_BESIDE = 200


async def connected(address, secrets, subscribes):
    """Connects all, and keeps them."""
    free = asyncio.Semaphore(CONNECTING)

    async def one(name, secret):
        async with free:
            device = await Device.connect(address, name, secret)
            if subscribes:
                await device.subscribe(name)
            return device

    return await asyncio.gather(*(one(name, secret) for name, secret in secrets.items()))


def bytes_each(server, secrets, subscribes):
    """What each of them adds to the resident set of the server."""
    before = server.settled()

    async def measured():
        devices = await connected(server.address("mqtt"), secrets, subscribes)
        after = await asyncio.to_thread(server.settled)
        for device in devices:
            device.leave(politely=True)
        return after

    return (asyncio.run(measured()) - before) / len(secrets)


def with_server(program, count, subscribes):
    # The store knows the devices before: what a registered device costs is not in it.
    # Files that callers may need are none of the devices'.
    site = Site(program, {"API__CONNECTIONS_MAX": "100"})
    try:
        secrets = site.register(f"idle-{number:05}" for number in range(count))
        return bytes_each(site.server, secrets, subscribes)
    finally:
        site.stop()


def alone(library, count, subscribes):
    server = Process([library])
    try:
        secrets = {f"idle-{number:05}": "0" * 32 for number in range(count)}
        return bytes_each(server, secrets, subscribes)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(prog="tests/memory/run idle")
    parser.add_argument("--program", required=True)
    parser.add_argument("--library", help="its program, to measure it in turns with the server")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=10_240, help="bytes that a device may cost")
    args = parser.parse_args()
    files = all_files()
    needed = args.devices + FILES_BESIDE
    if needed > files:
        raise SystemExit(f"{args.devices} devices need {needed} files, {files} are allowed: ulimit -Hn")
    bad = False
    for subscribes in (False, True):
        # In turns, so that whatever changes on the machine meets both.
        server, library = [], []
        for _ in range(args.rounds):
            server.append(with_server(args.program, args.devices, subscribes))
            if args.library:
                library.append(alone(args.library, args.devices, subscribes))
        told = "connected and subscribed" if subscribes else "connected"
        print(f"{args.devices} devices {told}: {shown(server)}", flush=True)
        if library:
            print(f"  the library alone: {shown(library)}", flush=True)
        bad |= statistics.median(server) > args.most
    if bad:
        raise SystemExit(f"tests/memory/run idle: an idle device costs over {args.most} bytes")


def shown(rounds):
    return f"{statistics.median(rounds):,.0f} bytes each (rounds: {', '.join(f'{each:,.0f}' for each in rounds)})"


main()
