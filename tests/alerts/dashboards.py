"""The dashboards' queries, asked of a Prometheus: each must have data."""

import glob
import json
import os

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "grafana", "dashboards")
# What a window of Grafana's `$__rate_interval` is at least, with the shipped interval of scrapes.
WINDOW_MS = 60_000
LOOKS = 200


def boards():
    """All of them, by file name."""
    found = {}
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.json"))):
        with open(path) as file:
            found[os.path.basename(path)] = json.load(file)
    return found


def expressions(board):
    """Each panel with each of its queries."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel, target


def filled(expression, faster):
    """As Grafana sends it, for all instances."""
    window = f"{WINDOW_MS * 2 // faster}ms"
    return expression.replace("$__rate_interval", window).replace("$job", "thingcall").replace("$instance", ".*")


def answered(prometheus, seconds, keep):
    """Names of queries without data; what all answered goes into the folder, if there is one."""
    empty, kept, count = [], {}, 0
    step = max(seconds / LOOKS, 0.1)
    for name, board in boards().items():
        for panel, target in expressions(board):
            count += 1
            found = prometheus.query(filled(target["expr"], prometheus.faster), seconds, step)
            if not found:
                empty.append(f"{name}, {panel['title']}: {target['expr']}")
            kept[f"{name} {panel['id']} {target['refId']}"] = found
    if keep:
        os.makedirs(keep, exist_ok=True)
        with open(os.path.join(keep, "answers.json"), "w") as file:
            json.dump(kept, file)
    for one in empty:
        print(f"no data: {one}", flush=True)
    print(f"dashboards: {count - len(empty)} of {count} queries have data", flush=True)
    return empty
