#!/usr/bin/env python3
"""Draws a trace of the bandwidth estimate (BandwidthEstimate::csvRow) as SVG.

    plot_estimate.py TRACE.csv OUT.svg
"""

import csv
import pathlib
import sys

import svg_chart


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        sys.exit("the trace is empty")
    start = float(rows[0]["unix_ms"])

    def series(key):
        return [((float(r["unix_ms"]) - start) / 1000, float(r[key])) for r in rows if r.get(key)]

    estimate = series("estimate_kbps")
    rates = svg_chart.Panel("kb/s", top=1.6 * max(y for _, y in estimate))
    for key in ("estimate_kbps", "target_kbps", "acknowledged_kbps", "loss_based_kbps", "remote_kbps"):
        if points := series(key):
            rates.line(key.removesuffix("_kbps").replace("_", " "), points, dashed=key in ("loss_based_kbps", "remote_kbps"))
    delays = svg_chart.Panel("ms")
    for key in ("queue_delay_ms", "round_trip_ms"):
        delays.line(key.removesuffix("_ms").replace("_", " "), series(key))
    losses = svg_chart.Panel("loss, %")
    losses.line("loss", [(x, 100 * y) for x, y in series("loss_ratio")])
    end = max(estimate[-1][0], 1e-3)
    pathlib.Path(sys.argv[2]).write_text(svg_chart.chart(sys.argv[1], [rates, delays, losses], end))


main()
