#!/usr/bin/env python3
"""What a packet costs on a port shared by few and by many connections: CPU time, and instructions under callgrind.

    demux.py --load COMMAND --out FILE [--rounds N]

Instructions say what the code does, and must not grow with the connections; time also says what caches make of it.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

SESSIONS = [10, 100, 1000, 10_000]
PACKETS = 640_000
COUNTED_PACKETS = 64_000


def nanoseconds(load, sessions):
    words = [load, str(sessions), str(PACKETS)]
    return float(subprocess.run(words, check=True, stdout=subprocess.PIPE, timeout=300).stdout)


def instructions(load, sessions):
    with tempfile.TemporaryDirectory(prefix="demux-bench-") as folder:
        words = ["valgrind", "--tool=callgrind", "--toggle-collect=*Server::receive*", f"--callgrind-out-file={folder}/out",
                 load, str(sessions), str(COUNTED_PACKETS)]
        told = subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=900)
    return int(re.search(r"Collected : (\d+)", told.stderr).group(1)) / COUNTED_PACKETS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--load", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    values = {}
    print(f"{'connections':>12}{'instructions/packet':>22}{'ns CPU/packet':>16}")
    for sessions in SESSIONS:
        print(f"{sessions} connections", file=sys.stderr)
        time = statistics.median(nanoseconds(args.load, sessions) for _ in range(args.rounds))
        count = instructions(args.load, sessions)
        values[f"{sessions}_connections_cpu_ns_per_packet"] = time
        values[f"{sessions}_connections_instructions_per_packet_count"] = count
        print(f"{sessions:12}{count:22.0f}{time:16.0f}")
    few, many = (values[f"{n}_connections_instructions_per_packet_count"] for n in (SESSIONS[0], SESSIONS[-1]))
    values["instructions_10000_against_10_ratio"] = many / few
    args.out.write_text(json.dumps({"demux": values}, indent=2))


main()
