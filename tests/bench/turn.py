#!/usr/bin/env python3
"""Relays the same load through Parley's TURN server and through coturn, in turns, medians over rounds.

    turn.py --server COMMAND --load COMMAND [--coturn COMMAND] --out FILE [--rounds N]

Each case is so many clients, each with one burst of packets under way that comes back from its peer: packets per second
count both directions. CPU is that of the server's process alone. "packets_per_cpu_s" is what one core could relay. A burst
of one packet leaves nothing to batch but what several clients send at once.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# name: clients, packets in a burst, bytes of payload
CASES = {
    "one_client_single_packets": (1, 1, 1000),
    "32_clients_single_packets": (32, 1, 1000),
    "32_clients_audio": (32, 1, 160),
    "32_clients_bursts_of_10": (32, 10, 1000),
    "256_clients_bursts_of_10": (256, 10, 1000),
    "8_clients_bursts_of_40": (8, 40, 1200),
}
SECONDS = 2.0
ADDRESS, PORT = "127.0.0.1", 34780
USER, PASSWORD = "bench", "secret"


def coturn_command(binary, folder):
    return [binary, "-n", f"--listening-ip={ADDRESS}", f"--relay-ip={ADDRESS}", f"--listening-port={PORT}",
            "--relay-threads=1", "--lt-cred-mech", f"--user={USER}:{PASSWORD}", "--realm=bench", "--allow-loopback-peers",
            "--no-tls", "--no-dtls", "--no-cli", "--no-tcp", "--no-stdout-log", "--log-file=/dev/null", "--simple-log",
            f"--pidfile={folder}/pid", f"--userdb={folder}/db"]


def measure(command, load, case):
    clients, burst, size = CASES[case]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            time.sleep(0.7)
            words = [load, f"{ADDRESS}:{PORT}", USER, PASSWORD, str(clients), str(burst), str(size), str(SECONDS),
                     str(server.pid)]
            return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, timeout=60).stdout)
        finally:
            server.terminate()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--coturn", default="")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="turn-bench-")
    stacks = {"parley": [args.server, f"{ADDRESS}:{PORT}", USER, PASSWORD]}
    if args.coturn:
        stacks["coturn"] = coturn_command(args.coturn, folder)
    runs = {name: {case: [] for case in CASES} for name in stacks}
    for number in range(args.rounds):
        for case in CASES:
            for name, command in stacks.items():
                print(f"round {number + 1} of {args.rounds}: {case} {name}", file=sys.stderr)
                runs[name][case].append(measure(command, args.load, case))
    report = {}
    for name, cases in runs.items():
        values = report[f"turn/{name}"] = {}
        for case, results in cases.items():
            for key in ("packets_per_s", "server_cpu_us_per_packet", "server_user_us_per_packet", "packets_per_cpu_s"):
                values[f"{case}_{key}"] = statistics.median(result[key] for result in results)
    if "coturn" in stacks:
        ours, theirs = report["turn/parley"], report["turn/coturn"]
        factors = report["turn/parley_against_coturn"] = {}
        print(f"{'':32}{'coturn':>14}{'parley':>14}{'coturn':>14}{'parley':>14}{'times':>8}{'times':>8}")
        print(f"{'median':32}{'packets/s':>14}{'packets/s':>14}{'us CPU/packet':>14}{'us CPU/packet':>14}"
              f"{'rate':>8}{'CPU':>8}")
        for case in CASES:
            rate, cpu = f"{case}_packets_per_s", f"{case}_server_cpu_us_per_packet"
            factors[f"times_better_{rate}_ratio"] = ours[rate] / theirs[rate]
            factors[f"times_better_{cpu}_ratio"] = theirs[cpu] / ours[cpu]
            print(f"{case:32}{theirs[rate]:14.0f}{ours[rate]:14.0f}{theirs[cpu]:14.2f}{ours[cpu]:14.2f}"
                  f"{ours[rate] / theirs[rate]:8.1f}{theirs[cpu] / ours[cpu]:8.1f}")
    args.out.write_text(json.dumps(report, indent=2))
    for file in pathlib.Path(folder).iterdir():
        os.unlink(file)
    os.rmdir(folder)


main()
