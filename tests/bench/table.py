"""Makes table.md and plot.svg of the lines in results.json; see README.md.

A share is the median of the rounds' own shares: two figures of one round met the same machine.
"""

import json
import sys
from pathlib import Path

import messages_table
import scaling_table
from lines import lost, middle, more, read, share, shown

BARE = {"reference", "nats-bare", "echo"}
PEER_ROWS = {
    "peers": "256 calls in flight",
    "peers-embedded": "256 calls in flight, thingcall with its embedded broker",
    "peers-500": "500 calls a second, open loop",
    "peers-2000": "2,000 calls a second, open loop",
}
ROWS = {
    "acs3": "Synchronous calls, newer signature, Mosquitto, QoS 0, 256 in flight",
    "v1": "The same with the older signature",
    "embedded": "The same through the embedded broker; the reference is on Mosquitto",
    "sdk-qos-0": "20 calls a second to each of 4 devices with Nagle's algorithm on, QoS 0, embedded broker",
    "sdk-qos-1": "The same at QoS 1",
    "sdk-qos-1-mosquitto": "The same at QoS 1 through Mosquitto, whose system delays its acknowledgements",
    "async": "Asynchronous calls at QoS 1, durable before they are answered",
    "rate-500": "500 calls a second, open loop, Mosquitto",
    "rate-2000": "2,000 calls a second, open loop, Mosquitto",
    "many-usual": "256 in flight, 100 devices",
    "many-in-flight": "2,048 in flight, 100 devices",
    "many-devices": "256 in flight, 1,000 devices on 1,000 connections",
    "plugin": "Through an echo plugin, on its own pool and inline",
    "shared": "On PostgreSQL: nonces and quota of its own, or shared; and three instances at one Mosquitto",
    "records": "Records of calls: those that failed, as it comes; none; all",
    "records-5000": "The same at 5,000 calls a second",
    "shared-async": "The same, asynchronous at QoS 1",
    "scaling": "Worker threads, and three instances on a PostgreSQL at one Mosquitto beside one",
    "amqp": "RabbitMQ with confirms; the reference is bare lapin",
}


def goals(found):
    """Each goal with what was measured; one that was not is left out."""
    calls = {row: contenders["calls"] for row, contenders in found.items() if contenders.get("calls")}
    bare = {row: contenders.get("reference") for row, contenders in found.items()}
    rows = []

    def ratio(name, own, other, goal, figure="callsPerSecond"):
        if (found_share := share(own, other, figure)) is not None:
            rows.append((name, f"{found_share:.2f}", goal))

    for row, name in [("acs3", "newer signature"), ("v1", "older signature")]:
        ratio(f"synchronous calls a second, {name}, of bare rumqttc's", calls.get(row), bare.get(row), "0.8")
    ratio("the same through the embedded broker", calls.get("embedded"), bare.get("embedded"), "1.0")
    ratio("asynchronous, durable, QoS 1, of bare rumqttc's at QoS 1", calls.get("async"), bare.get("async"), "0.4")
    if "sdk-qos-0" in calls and "sdk-qos-1" in calls:
        p50 = more(calls["sdk-qos-1"], calls["sdk-qos-0"], "p50Ms")
        rows.append(("p50 at QoS 1 to devices like SDKs, more than at QoS 0", f"{p50:.2f} ms", "at most 1 ms"))
    for row in ["rate-500", "rate-2000"]:
        if row in calls and bare.get(row):
            rate = row.removeprefix("rate-")
            p50 = more(calls[row], bare[row], "p50Ms") * 1000
            rows.append((f"p50 at {rate}/s, more than bare", f"{p50:.0f} us", "at most 120 us"))
            rows.append((f"p99 at {rate}/s, more than bare", f"{more(calls[row], bare[row], 'p99Ms'):.2f} ms", "at most 1 ms"))
    for row, name in [("acs3", "newer signature"), ("v1", "older signature")]:
        if row in found:
            cpu = "cpuMicrosPerCall"
            ratio(f"own processor time a call, of an axum echo's, {name}", calls.get(row), found[row].get("echo"), "at most 1.5", cpu)
    usual = calls.get("many-usual")
    ratio("2,048 in flight, of 256", calls.get("many-in-flight"), usual, "0.95")
    ratio("1,000 devices, of 100", calls.get("many-devices"), usual, "0.95")
    plugin = found.get("plugin", {})
    ratio("through a plugin inline, of without", plugin.get("inline"), calls.get("plugin"), "0.95")
    ratio("through a plugin on its pool, of without", plugin.get("plugin"), calls.get("plugin"), "0.85")
    ratio("AMQP with confirms, of bare lapin's", calls.get("amqp"), bare.get("amqp"), "0.7")
    for row, figure, name, best, goal in [
        ("peers", "callsPerSecond", "calls a second at one broker, of the best peer's", max, "2"),
        ("peers-embedded", "callsPerSecond", "calls a second with the embedded broker, of the best peer's", max, "3"),
        ("peers-500", "p99Ms", "p99 at 500/s, of the best peer's", min, "at most 0.33"),
    ]:
        of = "peers" if row == "peers-embedded" else row
        others = {peer: lines for peer, lines in found.get(of, {}).items() if peer not in BARE | {"calls"}}
        # A peer that loses calls is no measure of latency.
        others = {peer: lines for peer, lines in others.items() if not lost(lines) and middle(lines, figure)}
        if others and row in calls:
            peer = best(others, key=lambda peer: middle(others[peer], figure))
            ratio(f"{name} ({peer})", calls[row], others[peer], goal, figure)
    return rows + list(scaling_table.goals(found)) + list(messages_table.goals(found))


def rows_of(contenders):
    base = contenders.get("reference") or contenders.get("calls")
    for name, lines in contenders.items():
        label = "**thingcall**" if name == "calls" else f"{name}, bare" if name == "reference" else name
        yield (
            label,
            f"{middle(lines, 'callsPerSecond'):,.0f}",
            shown(share(lines, base), "{:.2f}"),
            shown(middle(lines, "p50Ms"), "{:.2f}"),
            shown(middle(lines, "p99Ms"), "{:.2f}"),
            shown(middle(lines, "cpuMicrosPerCall"), "{:.0f}"),
            f"{lost(lines):,}" if lost(lines) else "",
        )


def markdown(heading, rows):
    yield "| " + " | ".join(heading) + " |"
    yield "|" + "|".join(["---"] + ["--:"] * (len(heading) - 1)) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows)
    yield ""


def table(found, about):
    yield f"{about['date']}, commit {about['commit']}, {about['machine']}; Mosquitto {about['mosquitto']}, RabbitMQ "
    yield f"{about['rabbitmq']}, nats-server {about['nats-server']}. {about['rounds']} rounds of {about['seconds']} s each"
    yield f"(`shared`, `records`, `posts`, `messages` and `idle`: {about.get('aside_rounds', about['rounds'])}):"
    yield f"`{about['command']}`"
    yield ""
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    yield f"Peers: {packages}."
    yield ""
    if rows := goals(found):
        yield from markdown(("goal", "measured", "wanted"), rows)
    heading = ("", "calls/s", "share", "p50 ms", "p99 ms", "CPU us/call", "failed")
    for row, title in (ROWS | PEER_ROWS).items():
        if row in found:
            title = f"HTTP to a device and back, {title}" if row in PEER_ROWS else title
            yield f"**{title}**"
            yield ""
            yield from markdown(heading, rows_of(found[row]))
    for title, heading, rows in [*scaling_table.tables(found), *messages_table.tables(found)]:
        yield f"**{title}**"
        yield ""
        yield from markdown(heading, rows)


def bars(title, unit, figures, top):
    """A chart of horizontal bars at this height; the longest bar is the largest figure."""
    largest = max(figure for _, figure, _ in figures) or 1
    yield f'<text x="10" y="{top + 16}" class="title">{title}</text>'
    for index, (name, figure, note) in enumerate(figures):
        y = top + 28 + index * 24
        width = max(1, figure / largest * 420)
        kind = "own" if name == "thingcall" else "bare" if name.startswith("bare") else "peer"
        amount = f"{figure:.2f}" if unit == "ms" else f"{figure:,.0f}"
        yield f'<text x="150" y="{y + 14}" text-anchor="end">{name}</text>'
        yield f'<rect x="158" y="{y}" width="{width:.1f}" height="18" class="{kind}"/>'
        yield f'<text x="{164 + width:.1f}" y="{y + 14}">{amount} {unit}{note}</text>'


def plot(found, about):
    names = {"calls": "thingcall", "reference": "bare rumqttc", "nats-bare": "bare NATS"}
    parts, top = [], 10
    for row, figure, unit, title in [
        ("peers", "callsPerSecond", "calls/s", "Calls a second, 256 in flight: more is better"),
        ("peers-500", "p99Ms", "ms", "p99 at 500 calls a second, open loop: less is better"),
    ]:
        contenders = found.get(row, {})
        if contenders:
            figures = [
                (names.get(name, name), middle(lines, figure), f", {lost(lines):,} failed" if lost(lines) else "")
                for name, lines in contenders.items()
                if middle(lines, figure) is not None
            ]
            figures.sort(key=lambda one: one[1], reverse=figure == "callsPerSecond")
            parts += bars(title, unit, figures, top)
            top += 28 + len(figures) * 24 + 20
    style = "text{font:13px sans-serif;fill:#222}.title{font-weight:bold}.own{fill:#1a7f5a}.bare{fill:#b8b8b8}.peer{fill:#4a78b5}"
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{top + 24}" viewBox="0 0 760 {top + 24}">'
    yield f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
    yield from parts
    yield f'<text x="10" y="{top + 12}">{about["date"]}, {about["machine"]}</text></svg>'


def main():
    folder = Path(sys.argv[1])
    found = read(folder)
    about = json.loads((folder / "about.json").read_text())
    (folder / "table.md").write_text("\n".join(table(found, about)))
    (folder / "plot.svg").write_text("\n".join(plot(found, about)) + "\n")
    if growth := scaling_table.plot(found, about):
        (folder / "growth.svg").write_text(growth)


main()
