"""Makes the faults that are asked for, and says what came of each."""

import argparse
import asyncio
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "memory"))

import broker  # noqa: E402
import disk  # noqa: E402
import floods  # noqa: E402
import inputs  # noqa: E402
import kills  # noqa: E402
import sockets  # noqa: E402
from common import Run, Wrong  # noqa: E402
from server import all_files  # noqa: E402

FAULTS = {
    "disk-full": disk.full,
    "eio": disk.eio,
    "kill": kills.under_load,
    "broker": broker.all_ways,
    "sockets": sockets.silent,
    "log-flood": floods.log,
    "memory-flood": floods.memory,
    "inputs": inputs.mutated,
}


def main():
    parser = argparse.ArgumentParser(prog="tests/faults/run")
    parser.add_argument("--program", required=True)
    parser.add_argument("--eio", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    args = parser.parse_args()
    unknown = set(args.faults) - set(FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    all_files()
    run, wrong = Run(args.program, args.eio, args.quick), []
    for name in args.faults or FAULTS:
        began = time.monotonic()
        try:
            told = asyncio.run(FAULTS[name](run))
        except Wrong as problem:
            wrong.append(name)
            told = f"WRONG: {problem}"
        print(f"{name:12} {time.monotonic() - began:4.0f} s  {told}", flush=True)
    if wrong:
        raise SystemExit(f"tests/faults/run: {', '.join(wrong)}")


main()
