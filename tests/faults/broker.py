"""An external broker that stops, stands still, or refuses."""

import asyncio
import signal
import time
from collections import Counter

from common import ASYNC, SYNC, Wrong, asked, called, wait_for
from mqtt import Device
from server import Site

# What a caller may be told while the broker does not work.
HONEST = {"RrpcException", "TIMEOUT", "RrpcFailed", "OFFLINE", "RateLimit"}
IN_FLIGHT = 8
# The default 8 s would make each round long.
SETTINGS = {"ENGINE__REPLY_TIMEOUT": "2s", "MQTT__PUBLISH_ACK_TIMEOUT": "2s", "MQTT__KEEP_ALIVE": "5s"}
# The server and the devices may do nothing at all.
NOTHING = "topic deny #\n"


async def stays(site, name, secret):
    while True:
        try:
            device = await Device.connect(site.broker, name, secret)
            await device.subscribe(name)
            await device.answer()
        except (OSError, EOFError, TimeoutError, AssertionError):
            await asyncio.sleep(0.1)


async def readiness(site, status):
    async def seen():
        return (await asked(site, "/readyz"))[0] == status

    return await wait_for(seen, f"/readyz says {status}")


async def calls_while(site, ended, until):
    """Calls of both kinds until the event; each must be answered, and with what is true."""
    while not until.is_set():
        for what in (SYNC, ASYNC):
            answer = await called(site.server.address("api"), "healthy", what, **({"Qos": 1} if what is ASYNC else {}))
            if answer is None:
                raise Wrong("a call's connection broke: the server is gone")
            code = "answered" if answer.get("Success") else answer["Code"].split(".")[-1]
            ended[code] += 1
            if code not in HONEST | {"answered"}:
                raise Wrong(f"a call while the broker does not work: {answer}")


async def once(site, ended, breaks, mends):
    over = asyncio.Event()
    calling = [asyncio.create_task(calls_while(site, ended, over)) for _ in range(IN_FLIGHT)]
    try:
        breaks()
        noticed = await readiness(site, 503)
        mends()
        healed_at = time.monotonic()
        await readiness(site, 200)

        async def answered():
            answer = await called(site.server.address("api"), "healthy", SYNC)
            return bool(answer and answer.get("Success"))

        await wait_for(answered, "calls are answered again")
        return noticed, time.monotonic() - healed_at
    finally:
        over.set()
        for result in await asyncio.gather(*calling, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result


def ways(mosquitto):
    """How it breaks, and how it is mended."""

    def stop():
        mosquitto.stop()

    def refuse():
        mosquitto.stop()
        mosquitto.start(access_list=NOTHING)

    def restart():
        if mosquitto.child.poll() is None:
            mosquitto.stop()
        mosquitto.start()

    return {
        "stopped": (stop, restart),
        "paused": (lambda: mosquitto.child.send_signal(signal.SIGSTOP), lambda: mosquitto.child.send_signal(signal.SIGCONT)),
        "refusing": (refuse, restart),
    }


async def all_ways(run):
    times, told = run.times(5, 1), []
    site = Site(run.program, SETTINGS, with_mosquitto=True)
    try:
        secret = site.register(["healthy"])["healthy"]
        device = asyncio.create_task(stays(site, "healthy", secret))

        async def answered():
            answer = await called(site.server.address("api"), "healthy", SYNC)
            return bool(answer and answer.get("Success"))

        await wait_for(answered, "the first call is answered")
        for way, (breaks, mends) in ways(site.mosquitto).items():
            ended, took = Counter(), []
            for _ in range(times):
                took.append(await once(site, ended, breaks, mends))
            noticed, healed = (max(column) for column in zip(*took))
            ends = ", ".join(f"{code} {count}" for code, count in sorted(ended.items()))
            told.append(f"{way} {times} times: unready after {noticed:.1f} s, calls again after {healed:.1f} s at most ({ends})")
        device.cancel()
    finally:
        site.mosquitto.child.send_signal(signal.SIGCONT)
        site.stop()
    return "; ".join(told)
