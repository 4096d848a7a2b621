#!/usr/bin/env python3
"""Runs the cases of congestion_cases.cc with each controller and feedback, prints their tables, draws each case as SVG
and writes the report.

    congestion.py --program PROGRAM --plots FOLDER [--out REPORT.json] [CASE...] [--only NAME]

NAME: gcc-twcc (Google congestion control, transport-wide feedback), gcc-ccfb (the same with RFC 8888), scream-ccfb
(SCReAM, RFC 8888). A case whose goals are not met fails. Names of cases may be cut short: "8867" runs all of that RFC.
Plots are in a folder per NAME; index.html there and in FOLDER shows them beside each other.
"""

import argparse
import html
import json
import pathlib
import subprocess
import sys
import tempfile

import svg_chart

WAYS = {
    "gcc-twcc": "Google congestion control, transport-wide feedback",
    "gcc-ccfb": "Google congestion control, RFC 8888",
    "scream-ccfb": "SCReAM, RFC 8888",
}


def draw(case, folder):
    rates = svg_chart.Panel("kb/s")
    end = case["seconds"]
    capacity = [tuple(p) for p in case["capacity"]] + [(end, case["capacity"][-1][1])]
    rates.line("capacity", capacity, colour="#000", step=len(capacity) < 50)
    delays = svg_chart.Panel("queueing delay, longest in 200 ms; ms")
    few = case["flows"] if len(case["flows"]) <= 8 else case["flows"][:1]
    for index, flow in enumerate(few):
        colour = svg_chart.COLOURS[index % len(svg_chart.COLOURS)]
        rates.line(flow["name"], [(p[0], p[1]) for p in flow["points"]], colour)
        if any(p[3] for p in flow["points"]):
            rates.line("", [(p[0], p[3]) for p in flow["points"]], colour, dashed=True)
            delays.line(flow["name"], [(p[0], p[2]) for p in flow["points"]], colour)
    (folder / f"{case['name']}.svg").write_text(
        svg_chart.chart(f"{case['name']}: {case['title']}", [rates, delays], end))


def run(program, way, cases):
    controller, feedback = way.split("-")
    with tempfile.TemporaryDirectory(prefix="congestion-bench-") as folder:
        path = pathlib.Path(folder) / "cases.json"
        words = [program, str(path), *cases, "--controller", controller, "--feedback", feedback]
        print(f"\n{way}: {WAYS[way]}", flush=True)
        code = subprocess.run(words, timeout=1800).returncode
        return code, json.loads(path.read_text())


def summary(results):
    """The cases side by side: use / p95 of the queueing delay, and what was missed."""
    print(f"\n{'use % / p95 ms':22}" + "".join(f"{way:>16}" for way in results))
    names = list(dict.fromkeys(case["name"] for cases in results.values() for case in cases))
    for name in names:
        line = f"{name:22}"
        for cases in results.values():
            case = next((c for c in cases if c["name"] == name), None)
            missed = case and any(not check["ok"] for check in case["checks"])
            text = "" if case is None else (f"{case['utilisation_ratio'] * 100:.1f} / {case['queueing_delay_ms_p95']:.0f}"
                                            + (" !" if missed else "  "))
            line += f"{text:>16}"
        print(line)


def page(results, folder):
    """The plots of a case beside each other."""
    rows = []
    for name in dict.fromkeys(case["name"] for cases in results.values() for case in cases):
        cells = "".join(f'<td><img src="{way}/{html.escape(name)}.svg" width="620"></td>'
                        for way, cases in results.items() if any(c["name"] == name for c in cases))
        rows.append(f"<tr>{cells}</tr>")
    heads = "".join(f"<th>{html.escape(WAYS[way])}</th>" for way in results)
    (folder / "index.html").write_text(
        f"<!DOCTYPE html><title>congestion control</title><table><tr>{heads}</tr>{''.join(rows)}</table>\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--plots", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--only", choices=WAYS, action="append")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    worst = 0
    results = {}
    report = {}
    for way in args.only or WAYS:
        code, cases = run(args.program, way, args.cases)
        worst = max(worst, code)
        results[way] = cases
        folder = args.plots / way
        folder.mkdir(parents=True, exist_ok=True)
        for case in cases:
            draw(case, folder)
            values = {key: case[key] for key in ("utilisation_ratio", "queueing_delay_ms_p50",
                                                 "queueing_delay_ms_p95", "loss_ratio")}
            missed = [check["what"] for check in case["checks"] if not check["ok"]]
            if missed:
                values["error"] = "goals missed: " + ", ".join(missed)
            report[f"congestion/{way}/{case['name']}"] = values
    summary(results)
    page(results, args.plots)
    print(f"plots: {args.plots}/index.html")
    if args.out:
        args.out.write_text(json.dumps(report, indent=2))
    return worst


sys.exit(main())
