#!/usr/bin/env python3
"""Sums up the runs of tests/run: a table, the failed tests, and at last `N passed, N failed`.

    report.py RESULTS [--seconds N] [--report FILE]

RESULTS holds one JUnit file per run of CTest, `runs` (names of those runs), `failed_builds`, and in `measures` one
JSON object per measuring test, whose keys carry units. FILE gets all of it as one JSON document (tests/README.md).
"""

import argparse
import json
import pathlib
import sys
import xml.etree.ElementTree as xml


def read_run(path):
    cases = [(c.get("name"), c.get("status"), float(c.get("time", 0))) for c in xml.parse(path).iter("testcase")]
    # CTest writes: run = passed, fail, notrun = skipped or not built, disabled.
    failed = [name for name, status, _ in cases if status == "fail"]
    not_run = {name for name, status, _ in cases if status == "notrun"}
    skipped = set()
    for case in xml.parse(path).iter("testcase"):
        reason = case.find("skipped")
        if case.get("name") in not_run and reason is not None and "SKIP" in (reason.get("message") or "").upper():
            skipped.add(case.get("name"))
    failed += sorted(not_run - skipped)
    return {
        "passed": sum(status == "run" for _, status, _ in cases),
        "failed": len(failed),
        "skipped": len(skipped),
        "cpu_s": round(sum(seconds for _, _, seconds in cases), 3),
    }, failed


def lines(path):
    return path.read_text().split() if path.exists() else []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--report")
    args = parser.parse_args()

    runs, failed = {}, []
    for path in sorted(args.results.glob("*.xml"), key=lambda p: p.stat().st_mtime):
        runs[path.stem], names = read_run(path)
        failed += [f"{path.stem}: {name}" for name in names]
    # What was asked for and did nothing (a label that no test has, all of them skipped) proves nothing either.
    failed += [f"{name}: ran no test" for name in lines(args.results / "runs")
               if name not in runs or not runs[name]["passed"] + runs[name]["failed"]]
    failed += lines(args.results / "failed_builds")
    measures = {p.stem: json.loads(p.read_text()) for p in sorted((args.results / "measures").glob("*.json"))}

    print(f"\n{'run':14} {'passed':>7} {'failed':>7} {'skipped':>8} {'test time':>10}")
    for name, run in runs.items():
        print(f"{name:14} {run['passed']:7} {run['failed']:7} {run['skipped']:8} {run['cpu_s']:9.1f}s")
    if failed:
        print("\nfailed:\n  " + "\n  ".join(failed))
    passed = sum(run["passed"] for run in runs.values())
    if args.report:
        with open(args.report, "w", encoding="utf-8") as out:
            json.dump({"tests_passed": passed, "tests_failed": len(failed), "duration_s": args.seconds,
                       "runs": runs, "failed": failed, "measures": measures}, out, indent=2)
            out.write("\n")
    print(f"\nin {args.seconds:.0f} s")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
