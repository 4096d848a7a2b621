#!/usr/bin/env python3
"""Runs the comparing benchmarks: Parley, libdatachannel and Pion under the same load, in turns, medians over rounds.

    compare.py NAME --stack NAME=COMMAND... --out FILE [--rounds N]

NAME: data_channel (throughput, small messages, round trips), idle (memory and CPU of silent connections) or setup
(CPU per pair). tests/README.md explains the keys of the report.
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

WARM_UP_S = 0.5
MEASURE_S = 2.0
PAUSE_S = 0.3
BULK_SIZES = {"16kib": 16384, "64kib": 65536, "256kib": 262144}
# Pion reads messages into 64 KiB - 1 bytes: a full 64 KiB is never delivered.
PION_SIZES = {"16kib": 16384, "64kib": 65535}
SMALL_BYTES = 32
PINGS, PING_GAP_US = 1000, 1000
CONNECTIONS = [10, 100, 1000]
IDLE_S = 10  # two rounds of consent requests (RFC 7675: one each 4 to 6 s)
SETUP_PAIRS = 500
ANSWER_S = 90
GIB, MIB = 1 << 30, 1 << 20


def stay_undisturbed():
    """Real-time priority for the peers, if PARLEY_BENCH_REAL_TIME is set: on a busy machine a stack with many threads
    would get more of the processors than one with few. Not the default, for receivers that run at once find less to
    take together than they do in use. They take turns: a thread that waits busily for another of the same priority
    would else wait for ever."""
    if not os.environ.get("PARLEY_BENCH_REAL_TIME"):
        return
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    except OSError as error:
        print(f"without real-time priority ({error.strerror}): throughput depends on what else runs", file=sys.stderr)


class Peer:
    def __init__(self, command):
        self.process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], ANSWER_S)[0]:
            self.kill()
            raise RuntimeError(f"{line.split(' ')[0]}: no answer within {ANSWER_S} s")
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("error"):
            raise RuntimeError(f"{line.split(' ')[0]}: {answer or 'the peer ended'}")
        return answer

    def mark(self):
        return [float(word) for word in self.ask("mark").split()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def stream(sender, receiver, size):
    """Payload rate and CPU of all processes that take part."""
    ends = [sender] if sender is receiver else [sender, receiver]
    sender.ask(f"send {size}")
    time.sleep(WARM_UP_S)
    before = [end.mark() for end in ends]
    time.sleep(MEASURE_S)
    after = [end.mark() for end in ends]
    sender.ask("stop")
    time.sleep(PAUSE_S)
    seconds = after[-1][0] - before[-1][0]
    cpu = sum(a[1] - b[1] for a, b in zip(after, before))
    received, messages = after[-1][2] - before[-1][2], after[-1][3] - before[-1][3]
    if messages == 0:
        raise RuntimeError("nothing arrived")
    return seconds, cpu, received, messages


def bulk(values, key, sender, receiver, size):
    seconds, cpu, received, _ = stream(sender, receiver, size)
    values[f"{key}_mib_per_s"] = received / MIB / seconds
    values[f"{key}_cpu_s_per_gib"] = cpu / (received / GIB)


def data_channel(name, command):
    values = {}
    sizes = PION_SIZES if name == "pion" else BULK_SIZES
    with Peer(command) as a, Peer(command) as b:
        a.ask("accept " + b.ask("answer " + a.ask("offer")))
        a.ask("open")
        b.ask("open")
        for key, size in sizes.items():
            bulk(values, f"bulk_{key}", a, b, size)
        seconds, cpu, _, messages = stream(a, b, SMALL_BYTES)
        values["small_messages_per_s"] = messages / seconds
        values["small_cpu_us_per_message"] = cpu * 1e6 / messages
    # A connection of its own: what a flood left queued must not be measured.
    with Peer(command) as a, Peer(command) as b:
        a.ask("accept " + b.ask("answer " + a.ask("offer")))
        a.ask("open")
        b.ask("open")
        b.ask("echo")
        p50, p99 = a.ask(f"ping {PINGS} {PING_GAP_US}").split()
        values["round_trip_us_p50"], values["round_trip_us_p99"] = float(p50), float(p99)
    with Peer(command) as both:
        both.ask("pair")
        both.ask("open")
        bulk(values, "one_process_bulk_64kib", both, both, sizes["64kib"])
    return values


def pairs(command, count, seconds):
    with Peer(command) as peer:
        words = peer.ask(f"pairs {count} {seconds}").split()
    return {key: float(value) for key, value in (word.split("=") for word in words)}


def idle(_, command):
    values = {}
    for connections in CONNECTIONS:
        for key, value in pairs(command, connections // 2, IDLE_S).items():
            if not key.startswith("setup_"):
                values[f"{connections}_connections_{key}"] = value
    return values


def setup(_, command):
    return {key: value for key, value in pairs(command, SETUP_PAIRS, 1).items() if key.startswith("setup_")}


def higher_is_better(key):
    return key.endswith("_per_s") and "cpu" not in key


def advantage(key, ours, theirs):
    """How many times better Parley is."""
    if min(ours, theirs) <= 0:
        return None
    return ours / theirs if higher_is_better(key) else theirs / ours


def table(report, stacks):
    others = [name for name in stacks if name != "parley"]
    width = max(len(key) for values in report.values() for key in values)
    print(f"{'median':{width}}" + "".join(f"{name:>16}" for name in stacks) + "".join(f"  x {name}" for name in others))
    for key, ours in report["parley"].items():
        line = f"{key:{width}}"
        for name in stacks:
            value = report[name].get(key)
            line += f"{value:>16.4g}" if value is not None else f"{'-':>16}"
        for name in others:
            factor = report[name].get(key) and advantage(key, ours, report[name][key])
            line += f"{factor:>{len(name) + 4}.1f}" if factor else " " * (len(name) + 3) + "-"
        print(line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=["data_channel", "idle", "setup"])
    parser.add_argument("--stack", action="append", required=True, metavar="NAME=COMMAND")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    stay_undisturbed()
    stacks = dict(stack.split("=", 1) for stack in args.stack)
    benchmark = globals()[args.name]
    rounds = {name: [] for name in stacks}
    for number in range(args.rounds):
        for name, command in stacks.items():
            print(f"round {number + 1} of {args.rounds}: {name}", file=sys.stderr)
            try:
                rounds[name].append(benchmark(name, command))
            except (RuntimeError, OSError) as error:  # a stack that fails is left out of this round
                print(f"{name}: {error}", file=sys.stderr)
    if not rounds["parley"]:
        sys.exit("no round of Parley came to its end")
    rounds = {name: runs for name, runs in rounds.items() if runs}
    stacks = {name: command for name, command in stacks.items() if name in rounds}
    report = {}
    for name, runs in rounds.items():
        report[name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    for name in stacks:
        if name == "parley":
            continue
        factors = {}
        for key, ours in report["parley"].items():
            theirs = report[name].get(key)
            factor = theirs and advantage(key, ours, theirs)
            if factor:
                factors[f"times_better_{key}_ratio"] = factor
        report[f"parley_against_{name}"] = factors
    table(report, list(stacks))
    args.out.write_text(json.dumps({f"{args.name}/{name}": values for name, values in report.items()}, indent=2))


main()
