#!/usr/bin/env python3
"""One person sends, many look: the CPU time of forwarding servers per packet forwarded, in turns, medians over rounds.

    forwarding.py --load COMMAND --floor COMMAND --stack NAME=COMMAND... --out FILE [--rounds N]

All servers get the same load (forwarding_load.cc): VP8 in packets of 1200 bytes, in bursts as a frame makes them. Only the
server's process is measured; what counts are packets that viewers received. The floor (forwarding_floor.cc) is the bare
encryption and sending of such bursts.
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import signal
import statistics
import subprocess
import sys
import time

# name: viewers, packets a second to each, packets in a burst
CASES = {
    "1_viewer": (1, 2000, 8),
    "10_viewers": (10, 500, 8),
    "50_viewers": (50, 500, 8),
}
WARM_UP_S, MEASURE_S = 1.5, 4.0
ANSWER_S = 60


class Process:
    def __init__(self, command):
        self.process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], ANSWER_S)[0]:
            raise RuntimeError(f"{line.split(' ')[0]}: no answer within {ANSWER_S} s")
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("error"):
            raise RuntimeError(f"{line.split(' ')[0]}: {answer or 'the process ended'}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def forward(command, load_command, case):
    viewers, rate, burst = CASES[case]
    with Process(command) as server, Process(load_command) as load:
        for who in ["publisher"] + ["viewer"] * viewers:
            load.ask("accept " + server.ask(who + " " + load.ask(who)))
        load.ask(f"send {rate} {burst}")
        time.sleep(WARM_UP_S)
        before, received = float(server.ask("mark").split()[0]), int(load.ask("count"))
        time.sleep(MEASURE_S)
        after, total = float(server.ask("mark").split()[0]), int(load.ask("count"))
        load.ask("stop")
        profile = load.ask("profile")
    packets = total - received
    expected = viewers * rate * MEASURE_S
    if packets < expected / 2:
        raise RuntimeError(f"{packets} of {expected:.0f} packets arrived")
    # Some servers pass on what the sender probes its path with, too: that is nothing that anybody looks at.
    return {"cpu_us_per_packet": (after - before) * 1e6 / min(packets, expected), "received_ratio": packets / expected}, profile


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--load", required=True)
    parser.add_argument("--floor", required=True)
    parser.add_argument("--stack", action="append", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    stacks = dict(stack.split("=", 1) for stack in args.stack)
    runs = {name: {case: [] for case in CASES} for name in [*stacks, "floor"]}
    profiles = {"floor": "SRTP_AEAD_AES_128_GCM"}
    for number in range(args.rounds):
        for case, (viewers, _, burst) in CASES.items():
            for name, command in stacks.items():
                print(f"round {number + 1} of {args.rounds}: {case} {name}", file=sys.stderr)
                try:
                    result, profiles[name] = forward(command, args.load, case)
                    runs[name][case].append(result)
                except (RuntimeError, OSError, ValueError) as error:
                    print(f"{name}: {error}", file=sys.stderr)
            floor = subprocess.run([args.floor, str(viewers), str(burst), "1"], check=True, stdout=subprocess.PIPE,
                                   text=True)
            runs["floor"][case].append({"cpu_us_per_packet": float(floor.stdout)})
    report = {}
    for name, cases in runs.items():
        values = {f"{case}_{key}": statistics.median(result[key] for result in results)
                  for case, results in cases.items() if results for key in results[0]}
        if values:
            report[f"forwarding/{name}"] = values
    print(f"{'median, us CPU per packet':28}" + "".join(f"{name:>16}" for name in runs))
    ours = report.get("forwarding/parley", {})
    for case in CASES:
        key = f"{case}_cpu_us_per_packet"
        print(f"{case:28}" + "".join(f"{report.get(f'forwarding/{name}', {}).get(key, float('nan')):16.2f}" for name in runs))
    print(f"{'protection':28}" + "".join(f"{profiles.get(name, '-').removeprefix('SRTP_')[:15]:>16}" for name in runs))
    for name in runs:
        theirs = report.get(f"forwarding/{name}")
        if name == "parley" or not theirs or not ours:
            continue
        report[f"forwarding/parley_against_{name}"] = {
            f"times_better_{case}_cpu_us_per_packet_ratio": theirs[key] / ours[key]
            for case in CASES if (key := f"{case}_cpu_us_per_packet") in theirs and key in ours}
    args.out.write_text(json.dumps(report, indent=2))
    return 0 if ours else 1


sys.exit(main())
