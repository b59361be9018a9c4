"""Tables and the plot of overload, scaling and growth; part of table.py."""

from math import log10
from statistics import median

import lines

GROWN = {
    "devices": "Devices that are registered, called in no order",
    "products": "Products",
    "services": "Services in the model",
}
# What stands for the usual size in the series of each.
USUAL = {"devices": 100, "products": 1, "services": 1}
COLOURS = {"devices": "#1a7f5a", "products": "#4a78b5", "services": "#b5704a"}

OVERLOAD = [
    ("calls a second that go, 128 in flight", "saturatedPerSecond", "{:,.0f}"),
    ("then made, a second", "madePerSecond", "{:,.0f}"),
    ("not made, since no connection was free, a second", "notMadePerSecond", "{:,.0f}"),
    ("accepted, a second", "acceptedPerSecond", "{:,.0f}"),
    ("accepted: p50", "acceptedP50Ms", "{:.1f} ms"),
    ("accepted: p99", "acceptedP99Ms", "{:.1f} ms"),
    ("refused, share", "refusedShare", "{:.2f}"),
    ("refused: p99", "refusedP99Ms", "{:.1f} ms"),
    ("failed otherwise", "failed", "{:,.0f}"),
    ("until all is answered in time, after the load fell to half of what goes", "recoveredSeconds", "{:.2f} s"),
    ("quiet product of the same account: answered", "quietProductCalls", "{:,.0f}"),
    ("quiet product: refused", "quietProductRefused", "{:,.0f}"),
    ("quiet product: not made", "quietProductNotMade", "{:,.0f}"),
    ("quiet product: p99", "quietProductP99Ms", "{:.1f} ms"),
    ("quiet account at the same product: answered", "quietAccountCalls", "{:,.0f}"),
    ("quiet account: refused", "quietAccountRefused", "{:,.0f}"),
    ("quiet account: not made", "quietAccountNotMade", "{:,.0f}"),
    ("quiet account: p99", "quietAccountP99Ms", "{:.1f} ms"),
]


def overload(found):
    return found.get("overload", {}).get("overload", [])


def series(found):
    """For each of what grows: its sizes with the medians of calls a second and of processor time, and its share of the usual."""
    growth = found.get("growth", {})
    usual = growth.get("usual")
    if not usual:
        return {}
    result = {}
    for grown in GROWN:
        points = [(USUAL[grown], usual)]
        points += [(int(name.split("-")[1]), rounds) for name, rounds in growth.items() if name.startswith(grown + "-")]
        result[grown] = [
            (size, lines.middle(rounds, "callsPerSecond"), lines.middle(rounds, "cpuMicrosPerCall"), share(rounds, usual))
            for size, rounds in sorted(points)
        ]
    return result


def share(rounds, usual):
    return lines.share(rounds, usual, "cpuMicrosPerCall")


def goals(found):
    if rounds := overload(found):
        middle = lambda name: median(one[name] for one in rounds)
        made = middle("madePerSecond") / middle("saturatedPerSecond")
        yield (f"{made:.1f} times what goes: p99 of accepted calls", f"{middle('acceptedP99Ms'):.1f} ms", "at most 50 ms")
        yield ("seconds until all is answered in time again", f"{middle('recoveredSeconds'):.2f} s", "at most 1 s")
        refused = sum(one["quietProductRefused"] + one["quietAccountRefused"] for one in rounds)
        yield ("calls of a quiet product and a quiet account refused beside it", f"{refused:,}", "0")
    for grown, points in series(found).items():
        size, _, _, of_usual = points[-1]
        if len(points) > 1 and of_usual is not None:
            yield (f"processor time a call with {size:,} {grown}, of that with {USUAL[grown]}", f"{of_usual:.2f}", "at most 1.1")
    for rounds in found.get("system-calls", {}).values():
        name = rounds[0]["what"]
        yield (f"system calls a call, saturated, {name}", f"{median(one['perCall'] for one in rounds):.2f}", "at most 2.05")


def tables(found):
    if rounds := overload(found):
        rows = [(name, form.format(median(one[key] for one in rounds))) for name, key, form in OVERLOAD]
        yield "Twice as many calls as go, Mosquitto, 512 connections, 256 calls may wait; beside them 50 a second to another product and of another account", ("", "median"), rows
    for grown, points in series(found).items():
        rows = [
            (f"{size:,}", lines.shown(calls, "{:,.0f}"), lines.shown(cpu, "{:.1f}"), lines.shown(of_usual, "{:.2f}"))
            for size, calls, cpu, of_usual in points
        ]
        yield f"{GROWN[grown]}: a call as they grow", (grown, "calls/s", "CPU us/call", "of the first"), rows
    if "system-calls" in found:
        for name, rounds in found["system-calls"].items():
            calls = sorted(rounds[0]["each"].items(), key=lambda one: -one[1])
            rows = [("all", f"{median(one['perCall'] for one in rounds):.3f}")]
            rows += [(call, f"{median(one['each'].get(call, 0) for one in rounds):.3f}") for call, _ in calls[:8]]
            yield f"System calls of the saturated server for each call, {name}", ("", "a call"), rows


def plot(found, about):
    """Processor time a call over the size of what grows, each by its own axis of decades."""
    all_series = series(found)
    if not all_series:
        return None
    most = max(cpu for points in all_series.values() for _, _, cpu, _ in points if cpu) * 1.25
    width, height, left, top = 640, 300, 60, 40
    decades = 5

    def place(size, cpu):
        return left + log10(size) / decades * width, top + height - cpu / most * height

    style = "text{font:13px sans-serif;fill:#222}.title{font-weight:bold}.axis{stroke:#999}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height + 110}" viewBox="0 0 760 {height + 110}">',
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>',
        '<text x="10" y="20" class="title">Processor time of the server a call, us, as what it knows grows: flat is right</text>',
        f'<line x1="{left}" y1="{top + height}" x2="{left + width}" y2="{top + height}" class="axis"/>',
        f'<line x1="{left}" y1="{top}" x2="{left}" y2="{top + height}" class="axis"/>',
    ]
    for decade in range(decades + 1):
        x, _ = place(10**decade, 0)
        parts.append(f'<text x="{x:.0f}" y="{top + height + 18}" text-anchor="middle">{10**decade:,}</text>')
    for step in range(5):
        cpu = most * step / 4
        _, y = place(1, cpu)
        parts.append(f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end">{cpu:.0f}</text>')
    for index, (grown, points) in enumerate(all_series.items()):
        places = [place(size, cpu) for size, _, cpu, _ in points if cpu]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        colour = COLOURS[grown]
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        parts.append(f'<rect x="{left + index * 150}" y="{top + height + 32}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18 + index * 150}" y="{top + height + 43}">{grown}</text>')
    parts.append(f'<text x="10" y="{top + height + 64}">{about["date"]}, {about["machine"]}</text></svg>')
    return "\n".join(parts) + "\n"
