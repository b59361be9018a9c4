#!/usr/bin/env python3
"""Draws the dashboards from what a run kept, as pages to look at; Grafana itself draws them better.

  tests/alerts/run --keep FOLDER && tests/alerts/draw.py FOLDER
"""

import html
import json
import os
import sys

from dashboards import boards

COLOURS = ["#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#65a30d", "#475569", "#b45309"]
WIDTH, HEIGHT, CELL = 1500, 32, 1500 / 24


def legend(target, labels):
    text = target["legendFormat"]
    if text == "__auto":
        return ", ".join(f"{name}={value}" for name, value in labels.items())
    for name in ["instance", "outcome", "stage", *labels]:
        text = text.replace("{{" + name + "}}", labels.get(name, ""))
    while "{{" in text:
        text = text[: text.index("{{")] + text[text.index("}}") + 2 :]
    return text


def line(points, begin, span, most, width, height):
    """One series; what is no number breaks it."""
    parts, drawing = [], False
    for time, value in points:
        value = float(value)
        if value != value or abs(value) == float("inf"):
            drawing = False
            continue
        x, y = (time - begin) / span * width, height - value / most * height
        parts.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        drawing = True
    return " ".join(parts)


def chart(series, width, height):
    points = [point for _, one in series for point in one]
    if not points:
        return "<p>no data</p>"
    begin, end = min(time for time, _ in points), max(time for time, _ in points)
    numbers = [float(value) for _, value in points if float(value) == float(value) and abs(float(value)) != float("inf")]
    most = max(numbers, default=0) or 1
    paths = "".join(
        f'<path d="{line(one, begin, end - begin or 1, most, width, height)}" fill="none" stroke="{COLOURS[at % 10]}" stroke-width="1.5"/>'
        for at, (_, one) in enumerate(series)
    )
    top = f'<text x="2" y="10" font-size="10" fill="#555">{most:.4g}</text>'
    names = "".join(f'<li style="color:{COLOURS[at % 10]}">{html.escape(name)} {float(one[-1][1]):.4g}</li>' for at, (name, one) in enumerate(series[:12]))
    return f'<svg width="{width:.0f}" height="{height:.0f}" style="background:#f8f8f8">{paths}{top}</svg><ul>{names}</ul>'


def drawn(name, board, answers):
    parts = []
    for panel in board["panels"]:
        at = panel["gridPos"]
        style = f"left:{at['x'] * CELL:.0f}px;top:{at['y'] * HEIGHT:.0f}px;width:{at['w'] * CELL - 8:.0f}px;height:{at['h'] * HEIGHT - 8}px"
        if panel["type"] == "row":
            parts.append(f'<h2 style="{style}">{html.escape(panel["title"])}</h2>')
            continue
        series = [
            (legend(target, found["metric"]), found["values"])
            for target in panel["targets"]
            for found in answers[f"{name} {panel['id']} {target['refId']}"]
        ]
        inside = chart(series, at["w"] * CELL - 24, at["h"] * HEIGHT - 110)
        parts.append(f'<section style="{style}"><h3>{html.escape(panel["title"])} <small>{panel["fieldConfig"]["defaults"]["unit"]}</small></h3>{inside}</section>')
    css = "body{font:12px sans-serif;margin:0}section,h2{position:absolute;overflow:hidden;box-sizing:border-box}section{border:1px solid #ccc;padding:4px}h2,h3,ul{margin:0}ul{padding-left:12px;columns:2;font-size:10px}"
    return f"<!doctype html><meta charset=utf-8><style>{css}</style><body>{''.join(parts)}"


def main():
    (folder,) = sys.argv[1:]
    with open(os.path.join(folder, "answers.json")) as file:
        answers = json.load(file)
    for name, board in boards().items():
        path = os.path.join(folder, name.replace(".json", ".html"))
        with open(path, "w") as file:
            file.write(drawn(name, board, answers))
        print(path)


main()
