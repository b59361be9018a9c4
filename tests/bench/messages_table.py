"""The rows of table.py that are about messages: reports of devices on their way in, and consumers who read them."""

from statistics import median

POSTS = {
    "posts": "5,000 property reports a second beside 256 synchronous calls in flight, embedded broker",
    "posts-500": "The same beside 500 calls a second, open loop",
    "posts-mosquitto": "The same beside 256 calls in flight, Mosquitto",
}
ALONE = "posts-alone-"
READ = {"messages-1": "Messages that wait, read by one consumer", "messages-10": "The same, by ten"}


def middle(lines, name):
    figures = [line[name] for line in lines if line.get(name) is not None]
    return median(figures) if figures else None


def shown(figure, form):
    return "-" if figure is None else form.format(figure)


def share(lines, others, name):
    """The median of each round's share of what the other had in that round."""
    shares = [own[name] / other[name] for own, other in zip(lines, others) if other.get(name)]
    return median(shares) if shares else None


def refused(lines):
    return sum(sum(line["postsRefused"].values()) + line["postsUnanswered"] for line in lines if "postsRefused" in line)


def failed(lines):
    return sum(sum(line["failures"].values()) for line in lines)


def goals(found):
    posts = found.get("posts", {})
    if {"posts-unread", "posts-written"} <= posts.keys():
        of = share(posts["posts-written"], posts["posts-unread"], "callsPerSecond")
        yield "calls a second beside 5,000 posts/s that are written, of beside as many that are not", f"{of:.2f}", "0.9"
    tls = [line for line in found.get("idle", {}).get("thingcall-tls", []) if line["consumers"] == 2000]
    if tls:
        yield "memory of an idle consumer with TLS", f"{middle(tls, 'bytesEach') / 1024:.1f} KiB", "below 16 KiB"


def posts(contenders):
    calls = contenders["calls"]
    for name, lines in contenders.items():
        yield (
            {"calls": "no posts", "posts-unread": "posts that nobody reads", "posts-written": "posts that are written"}[name],
            f"{middle(lines, 'callsPerSecond'):,.0f}",
            shown(share(lines, calls, "callsPerSecond"), "{:.2f}"),
            shown(middle(lines, "p50Ms"), "{:.2f}"),
            shown(middle(lines, "p99Ms"), "{:.2f}"),
            f"{failed(lines):,}" if failed(lines) else "",
            shown(middle(lines, "postsTakenPerSecond"), "{:,.0f}"),
            shown(middle(lines, "postP99Ms"), "{:.1f}"),
            f"{refused(lines):,}" if refused(lines) else "",
        )


def alone(found):
    for row, contenders in found.items():
        if row.startswith(ALONE):
            for name, lines in contenders.items():
                taken, cores = middle(lines, "postsTakenPerSecond"), middle(lines, "cpuCores")
                yield (
                    f"{int(row.removeprefix(ALONE)):,}, {name}",
                    shown(taken, "{:,.0f}"),
                    shown(middle(lines, "postP50Ms"), "{:.1f}"),
                    shown(middle(lines, "postP99Ms"), "{:.1f}"),
                    shown(cores and taken and cores / taken * 1e6, "{:.0f}"),
                    f"{refused(lines):,}" if refused(lines) else "",
                )


def read(contenders):
    for name, lines in contenders.items():
        yield (
            f"**{name}**" if name.startswith("thingcall") else name,
            f"{middle(lines, 'messagesPerSecond'):,.0f}",
            shown(middle(lines, "cpuMicrosPerMessage"), "{:.1f}"),
            shown(middle(lines, "loadCpuMicrosPerMessage"), "{:.1f}"),
        )


def idle(contenders):
    for name, lines in contenders.items():
        for consumers in sorted({line["consumers"] for line in lines}):
            these = [line for line in lines if line["consumers"] == consumers]
            yield name, f"{consumers:,}", f"{middle(these, 'bytesEach') / 1024:.1f}"


def tables(found):
    """Title, heading and rows of each."""
    for row, title in POSTS.items():
        if row in found:
            heading = ("", "calls/s", "share", "p50 ms", "p99 ms", "failed", "posts/s", "post p99 ms", "not taken")
            yield title, heading, posts(found[row])
    if rows := list(alone(found)):
        yield "Property reports alone, embedded broker", ("posts/s", "taken/s", "p50 ms", "p99 ms", "CPU us/post", "not taken"), rows
    for row, title in READ.items():
        if row in found:
            heading = ("", "messages/s", "CPU us/message", "the consumers' own")
            yield title, heading, read(found[row])
    if "idle" in found:
        yield "Consumers that are connected and get nothing", ("", "consumers", "KiB each"), idle(found["idle"])
