"""The server's resident set under calls that end in every way there is. It must not grow."""

import argparse
import asyncio
import statistics
import time

from load import NAMES, OUTCOMES, OUTCOMES_EMBEDDED, OUTCOMES_OF_A_BUSY_DISK, Load
from server import Site, all_files

READINGS = 60
READINGS_APART_S_MAX = 10
DRAINED_WITHIN_S = 20
# The resident set grew if the last third is above the middle one by both of these, in its median and in its lowest reading:
# the allocator gives pages back late and in one go, so the set rises and falls by a third while nothing grows.
GROWN_BY, GROWN_BYTES = 0.05, 4 * 2**20
# What fills by design is small here, so that it is full before the first third of ten minutes is over: what is
# remembered of ended calls, their records, and nonces, which are kept for twice the skew.
SETTINGS = {
    "ENGINE__REPLY_TIMEOUT": "2s",
    "ENGINE__RECENT_CALLS_MAX": "8192",
    "STORE__JOURNAL_RECORDS_MAX": "1000",
    "API__CLOCK_SKEW": "15s",
}


async def readings_of(site, name, seconds):
    """Resident bytes every so often, printed with what goes on at that moment."""
    apart = min(READINGS_APART_S_MAX, seconds / READINGS)
    start, readings = time.monotonic(), []
    while (now := time.monotonic() - start) < seconds:
        readings.append(site.server.resident())
        resident, files = readings[-1] / 2**20, site.server.files()
        pending = await asyncio.to_thread(site.metric, "thingcall_pending_calls")
        print(f"{name:9} {now:5.0f} s  {resident:7.2f} MiB  {pending:4.0f} pending  {files:4} files", flush=True)
        await asyncio.sleep(max(0, start + len(readings) * apart - time.monotonic()))
    return readings


async def under_load(site, name, load, seconds):
    """The readings while all of the load runs."""
    reading = asyncio.create_task(readings_of(site, name, seconds))
    running = [asyncio.create_task(each) for each in load.all()]
    done, _ = await asyncio.wait([reading, *running], return_when=asyncio.FIRST_COMPLETED)
    wrong = [task.exception() for task in done if task is not reading]
    for task in [reading, *running]:
        task.cancel()
    await asyncio.gather(reading, *running, return_exceptions=True)
    if wrong:
        raise RuntimeError(f"{name}: {wrong[0]!r}")
    return reading.result()


# The store opens further connections for reading when look-ups meet, and keeps them: three beside the first, of two files each.
READERS_FILES_MAX = 6


async def left_over(site, files_before):
    """What is left of calls and sockets a while after the load, if anything is."""
    for _ in range(DRAINED_WITHIN_S * 5):
        pending = await asyncio.to_thread(site.metric, "thingcall_pending_calls")
        files = site.server.files() - files_before
        if pending == 0 and files <= READERS_FILES_MAX:
            return None
        await asyncio.sleep(0.2)
    return f"{pending:.0f} calls and {files} files are left after the load"


def thirds(readings, of):
    """This of the middle and of the last third."""
    third = len(readings) // 3
    return of(readings[third : 2 * third]), of(readings[2 * third :])


def grew(before, after):
    return after > before * (1 + GROWN_BY) and after > before + GROWN_BYTES


async def soaked(site, name, seconds):
    """What is wrong after the soak."""
    load = Load(site, await asyncio.to_thread(site.register, NAMES))
    files_before = site.server.files()
    readings = await under_load(site, name, load, seconds)
    left = await left_over(site, files_before)
    middle, last = thirds(readings, statistics.median)
    told = ", ".join(f"{what} {count}" for what, count in sorted(load.ended.items()))
    print(
        f"{name}: middle third {middle / 2**20:.2f} MiB, last third {last / 2**20:.2f} MiB ({last / middle - 1:+.1%}); "
        f"{left or 'nothing is left'}; {told}",
        flush=True,
    )
    wanted = OUTCOMES if site.mosquitto else OUTCOMES_EMBEDDED
    odd = (wanted ^ set(load.ended)) - OUTCOMES_OF_A_BUSY_DISK
    wrong = [f"missing or unexpected: {', '.join(sorted(odd))}"] if odd else []
    if grew(middle, last) and grew(*thirds(readings, min)):
        wrong.append("the resident set grows")
    return [f"{name}: {each}" for each in wrong + ([left] if left else [])]


async def all_soaked(sites, seconds):
    return await asyncio.gather(*(soaked(site, name, seconds) for name, site in sites.items()))


def main():
    parser = argparse.ArgumentParser(prog="tests/memory/run soak")
    parser.add_argument("--program", required=True)
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    all_files()
    sites = {}
    try:
        sites["embedded"] = Site(args.program, SETTINGS)
        sites["mosquitto"] = Site(args.program, SETTINGS, with_mosquitto=True)
        wrong = sum(asyncio.run(all_soaked(sites, args.minutes * 60)), [])
    except RuntimeError as error:
        wrong = [str(error)]
    finally:
        for site in sites.values():
            site.stop()
    if wrong:
        raise SystemExit(f"tests/memory/run soak: {'; '.join(wrong)}")


main()
