"""Measurements as results.json has them, and medians of them; part of table.py."""

import json
from collections import defaultdict
from statistics import median


def read(folder):
    found = defaultdict(lambda: defaultdict(list))
    for text in (folder / "results.json").read_text().splitlines():
        line = json.loads(text)
        if line["what"] != "median":
            found[line["row"]][line["what"]].append(line)
    return found


def middle(lines, name):
    # Without one answered call there is no latency.
    answered = [line for line in lines if line["calls"] or name == "callsPerSecond"]
    figures = [line[name] for line in answered if line.get(name) is not None]
    return median(figures) if figures else None


def share(lines, others, name="callsPerSecond"):
    """The median of each round's share of what the other had in that round."""
    rounds = [(own.get(name), other.get(name)) for own, other in zip(lines or [], others or [])]
    shares = [own / other for own, other in rounds if own is not None and other]
    return median(shares) if shares else None


def more(lines, others, name):
    """The median of how much more than the other's each round's figure is."""
    return median(own[name] - other[name] for own, other in zip(lines, others))


def shown(figure, form):
    return "-" if figure is None else form.format(figure)


def lost(lines):
    return sum(sum(line["failures"].values()) for line in lines)
