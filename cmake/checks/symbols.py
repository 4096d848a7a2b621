#!/usr/bin/env python3
"""lint.symbols: what grep misses. Reads the object code of the core layers.

    symbols.py LAYER=ARCHIVE...

- No undefined symbol that reads a clock, opens a socket, starts a thread, or does stdio.
- No mutable object of static storage (machine rule M7): two machines in one process cannot see
  each other.
`symbols_allow.txt` records exceptions as `layer symbol reason`, the symbol a regular expression over
the demangled name.
"""

import re
import subprocess
import sys

import tree

FORBIDDEN = re.compile(
    r"^(clock_gettime|clock_nanosleep|gettimeofday|time|ftime|timespec_get|nanosleep|usleep|sleep|localtime\w*|gmtime\w*"
    r"|std::chrono::_V2::\w+_clock::now\(\)"
    r"|socket|bind|connect|listen|accept4?|send|sendto|sendm?msg|sendmmsg|recv|recvfrom|recvm?msg|recvmmsg|select|p?poll"
    r"|epoll_\w+|eventfd|timerfd_\w+|getaddrinfo|freeaddrinfo|getnameinfo|gethostby\w+|getifaddrs|if_nametoindex"
    r"|open|open64|openat|read|write|close|ioctl|fcntl|pipe2?"
    r"|pthread_\w+|std::thread::.*|std::(mutex|condition_variable\w*|this_thread|__once).*|sem_\w+|thrd_\w+|mtx_\w+"
    r"|v?f?printf|__v?f?printf_chk|v?dprintf|f?puts|putchar|putc|fputc|fopen|fopen64|fclose|fread|fwrite|fflush|perror|std(in|out|err)"
    r"|std::(cout|cerr|clog|cin|ios_base|basic_[io]?fstream).*"
    r"|s?rand|rand_r|s?random|[dlm]rand48|getrandom|getentropy|arc4random\w*|std::random_device.*|RAND_\w+"
    r"|v?s?n?printf|__v?sn?printf_chk|getenv|secure_getenv|setlocale|std::locale.*|system|fork|exec\w*)$")
MUTABLE = re.compile(r"^\.(data|bss|tdata|tbss|ldata|lbss)(\.(?!rel\.ro)|$)")
# Emitted by the compiler itself: the exception personality's address, sanitizers' bookkeeping.
COMPILER = re.compile(r"^(DW\.ref\.|\.L|__odr_asan|__asan|__ubsan|__tsan|completed\.|\.)")


def allowed():
    table = []
    for line in tree.read("cmake/checks/symbols_allow.txt").splitlines():
        if line.strip() and not line.startswith("#"):
            layer, symbol, reason = (line.split(None, 2) + ["", ""])[:3]
            if not reason:
                sys.exit(f"symbols_allow.txt: want `layer symbol reason`, got: {line}")
            table.append((layer, re.compile(symbol + r"$")))
    return table


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def undefined(archive):
    for line in run("nm", "-uC", archive).splitlines():
        match = re.match(r"^\s+[Uw] (.*)$", line)
        if match:
            yield match[1].split("@")[0]


def mutable(archive):
    for line in run("objdump", "-tC", archive).splitlines():
        match = re.match(r"^[0-9a-f]+ .{6}O (\S+)\s+([0-9a-f]+)\s+(?:\.hidden )?(.*)$", line)
        if match and MUTABLE.match(match[1]) and not COMPILER.match(match[3]) and int(match[2], 16):
            yield match[3]


def main():
    table, problems = allowed(), []
    for pair in sys.argv[1:]:
        layer, archive = pair.split("=", 1)

        def permitted(symbol):
            return any(who in (layer, "*") and pattern.match(symbol) for who, pattern in table)

        for symbol in sorted(set(undefined(archive))):
            if FORBIDDEN.match(symbol) and not permitted(symbol):
                problems.append(f"{layer}: uses {symbol}")
        for symbol in sorted(set(mutable(archive))):
            if not symbol.startswith("guard variable for ") and not permitted(symbol):
                problems.append(f"{layer}: mutable static object: {symbol}")
    return tree.finish("lint.symbols", problems, f"{len(sys.argv) - 1} layers")


sys.exit(main())
