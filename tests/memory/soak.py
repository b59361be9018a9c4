"""The server's resident set under calls that end in every way there is. It must not grow."""

import argparse
import asyncio
import os
import time

from load import NAMES, OUTCOMES, OUTCOMES_EMBEDDED, OUTCOMES_OF_A_BUSY_DISK, Load
from server import Site, all_files

READINGS = 60
READINGS_APART_S_MAX = 10
DRAINED_WITHIN_S = 20
# What grows in one of these windows is looked at for another: a heap that takes its shape comes to rest in the first
# minutes, what is kept of each call grows in all of them. Two in a row must be at rest then: one may be by chance.
WINDOWS_MAX = 4
# The resident set grew if its lowest reading of the last third is so far above that of the first, and still grows: steady
# growth makes half of it after the middle third. Single readings are above their neighbours by as much, so the lowest
# counts. In a minute it rises by up to half of this while the heap takes its shape, or by twice this if 100 bytes of each
# call are kept; in ten minutes on a busy machine it was seen to rise by this in the first three, and no more.
GROWN_BYTES, STILL_GROWS = 512 * 2**10, 0.25
# The kernel backs memory page by page. By default three quarters of the resident set are huge pages, 2 MiB that are made
# whole for a few bytes in them, and that come and go by chance.
ALLOCATOR = {"MIMALLOC_ALLOW_THP": "0"}
# What fills by design, and is small here: it is filled before anything is measured. Nonces are kept for twice the skew.
FULL = {"thingcall_recent_calls": 500, "thingcall_recent_failures": 100, "thingcall_store_records": 200, "thingcall_store_call_records": 200}
CLOCK_SKEW_S = 10
FULL_WITHIN_S = 120
SETTINGS = {
    "ENGINE__REPLY_TIMEOUT": "2s",
    "ENGINE__RECENT_CALLS_MAX": str(FULL["thingcall_recent_calls"]),
    "ENGINE__RECENT_FAILURES_MAX": str(FULL["thingcall_recent_failures"]),
    "STORE__JOURNAL_RECORDS_MAX": str(FULL["thingcall_store_records"]),
    "RECORDS__RECORDS_MAX": str(FULL["thingcall_store_call_records"]),
    "API__CLOCK_SKEW": f"{CLOCK_SKEW_S}s",
}


async def filled(site, name):
    """Waits until all is full that fills by design."""
    start = time.monotonic()
    while (now := time.monotonic() - start) < FULL_WITHIN_S:
        held = {metric: await asyncio.to_thread(site.metric, metric) for metric in FULL}
        if now >= 2 * CLOCK_SKEW_S and all(held[metric] >= FULL[metric] for metric in FULL):
            print(f"{name:9} is full after {now:.0f} s", flush=True)
            return
        await asyncio.sleep(1)
    raise RuntimeError(f"{name}: not full after {FULL_WITHIN_S} s: {held} of {FULL}")


async def readings_of(site, name, seconds):
    """Resident bytes every so often from when all is full: of a window at rest, the second in a row if one grew; else of one that grew."""
    await filled(site, name)
    growing, at_rest = None, 0
    for window in range(1, WINDOWS_MAX + 1):
        readings = await window_of(site, name, seconds)
        if grew(*lowest(readings)):
            growing, at_rest = readings, 0
            print(f"{name:9} grows in window {window}: {told(readings)}", flush=True)
        else:
            at_rest += 1
        if at_rest == (2 if growing else 1):
            return readings
    return growing


async def window_of(site, name, seconds):
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


def lowest(readings):
    """The lowest reading of each third."""
    third = len(readings) // 3
    return min(readings[:third]), min(readings[third:-third]), min(readings[-third:])


def grew(first, middle, last):
    return last - first > GROWN_BYTES and last - middle > STILL_GROWS * (last - first)


def told(readings):
    first, middle, last = lowest(readings)
    grown = f"{(last - first) / 2**10:+.0f} KiB"
    return f"lowest of the thirds {first / 2**20:.2f}, {middle / 2**20:.2f} and {last / 2**20:.2f} MiB ({grown})"


async def soaked(site, name, seconds):
    """What is wrong after the soak."""
    load = Load(site, await asyncio.to_thread(site.register, NAMES))
    files_before = site.server.files()
    readings = await under_load(site, name, load, seconds)
    huge = site.server.huge_pages()
    left = await left_over(site, files_before)
    ended = ", ".join(f"{what} {count}" for what, count in sorted(load.ended.items()))
    print(f"{name}: {told(readings)}; {left or 'nothing is left'}; {ended}", flush=True)
    wanted = OUTCOMES if site.mosquitto else OUTCOMES_EMBEDDED
    odd = (wanted ^ set(load.ended)) - OUTCOMES_OF_A_BUSY_DISK
    wrong = [f"missing or unexpected: {', '.join(sorted(odd))}"] if odd else []
    if huge:
        wrong.append(f"{huge} bytes are in huge pages in spite of {ALLOCATOR}: the readings tell nothing")
    if grew(*lowest(readings)):
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
    os.environ |= ALLOCATOR
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
