#!/usr/bin/env python3
"""Runs the cases of congestion_cases.cc, which prints the table, draws each as SVG and writes the report.

    congestion.py --program PROGRAM --plots FOLDER [--out REPORT.json] [CASE...] [--controller gcc|scream]

A case whose goals are not met fails. Names of cases may be cut short: "8867" runs all of that RFC.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import svg_chart


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--plots", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--controller", default="gcc")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="congestion-bench-") as folder:
        path = pathlib.Path(folder) / "cases.json"
        words = [args.program, str(path), *args.cases, "--controller", args.controller]
        code = subprocess.run(words, timeout=1800).returncode
        cases = json.loads(path.read_text())
    args.plots.mkdir(parents=True, exist_ok=True)
    report = {}
    for case in cases:
        draw(case, args.plots)
        values = {key: case[key] for key in ("utilisation_ratio", "queueing_delay_ms_p50",
                                             "queueing_delay_ms_p95", "loss_ratio")}
        missed = [check["what"] for check in case["checks"] if not check["ok"]]
        if missed:
            values["error"] = "goals missed: " + ", ".join(missed)
        report[f"congestion/{args.controller}/{case['name']}"] = values
    print(f"plots: {args.plots}")
    if args.out:
        args.out.write_text(json.dumps(report, indent=2))
    return code


sys.exit(main())
