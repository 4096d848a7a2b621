#!/usr/bin/env python3
"""Turns results of benchmarks (Google Benchmark's output, or reports of compare.py, taken as they are) into the
project's report: {benchmark: {key_with_unit: value}}.

    bench_report.py RESULTS [--report FILE]
"""

import argparse
import json
import pathlib
import sys

# What Google Benchmark itself writes per run; everything else numeric is a counter of ours, unit in its name.
KNOWN = {"family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations",
         "real_time", "cpu_time"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--report")
    args = parser.parse_args()
    report = {}
    for path in sorted(args.results.glob("*.json")):
        result = json.loads(path.read_text())
        if "benchmarks" not in result:
            report.update(result)
            continue
        for run in result["benchmarks"]:
            if run.get("run_type") == "aggregate":
                continue
            values = {f"real_{run['time_unit']}_per_iteration": run["real_time"],
                      f"cpu_{run['time_unit']}_per_iteration": run["cpu_time"]}
            values.update({k: v for k, v in run.items() if k not in KNOWN and isinstance(v, (int, float))})
            if run.get("error_occurred"):
                values["error"] = run.get("error_message", "unknown")
            report[f"{path.stem}/{run['name']}"] = values
    if args.report:
        pathlib.Path(args.report).write_text(json.dumps(report, indent=2) + "\n")
    failed = [name for name, values in report.items() if "error" in values]
    for name in failed:
        print(f"failed: {name}: {report[name]['error']}")
    print(f"{len(report) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not report else 0


sys.exit(main())
