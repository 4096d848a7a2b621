#!/usr/bin/env python3
"""lint.purity: the core is told the time, is given randomness, and touches no thread, socket or stream.

A match is an offence wherever it stands, also without parentheses: a function value is a read too.
`purity_allow.txt` holds the recorded exceptions as `path:count:reason`. It is a ratchet: a file with
more offences than its count fails, and so does one with fewer (lower the count, or drop the line).
"""

import re
import sys

import tree

# The places whose very job is what the others may not do.
EXEMPT = re.compile(
    r"^(src|include/parley)/(io|devices)/|^src/sim/clock_shim\.|^src/base/secure_random\.|"
    r"^src/sctp/usrsctp_stack\.|^(src|include/parley)/api/loop\.")
# The facade is the layer of loops, their mutexes and workers (layers.txt gives it `threads`); all else it may not do either.
THREADED = re.compile(r"^(src|include/parley)/api/")
RULES = {
    "clock": r"\b(steady|system|high_resolution|utc|tai)_clock\b|\bgettimeofday\b|\bclock_gettime\b|\btimespec_get\b"
             r"|(?<![\w:.>])(?:std)?::time\b(?!\w)|(?<![\w:.>])time\s*\((?:0|NULL|nullptr|&)|\b(?:local|gm)time(?:_r)?\b",
    "randomness": r"\brandom_device\b|\bmt19937(?:_64)?\b|\bs?rand\b(?!\w)|\bd?rand48\b|\bgetrandom\b|\bgetentropy\b"
                  r"|\bRAND_\w+|(?<![\w.>:])s?random\s*\(",
    "threads": r"\bstd::(?:this_thread|j?thread|async|(?:recursive_|shared_|timed_)*mutex|condition_variable\w*|lock_guard"
               r"|unique_lock|scoped_lock|shared_lock|call_once|once_flag|promise|packaged_task|counting_semaphore|latch|barrier)\b"
               r"|\bpthread_\w+|\bthread_local\b|\b(?:u|nano)?sleep\s*\(|\bsleep_(?:for|until)\b",
    "sockets": r"(?<![\w.>])::(?:socket|bind|connect|listen|accept|send|recv|poll|select|read|write|open|close)\b"
               r"|\b(?:sendto|sendmsg|sendmmsg|recvfrom|recvmsg|recvmmsg|epoll_\w+|getaddrinfo|getifaddrs|setsockopt)\b",
    "streams": r"\bstd::(?:cout|cerr|clog|cin|[io]?fstream|[io]?stringstream|endl|filesystem)\b|#\s*include\s*<(?:iostream|fstream|sstream)>"
               r"|(?<!format\()\bv?f?printf\b|\bf?puts\b|\bputchar\b|\bfopen\b|\bfwrite\b|\bperror\b|\bstd(?:out|err)\b|\bgetenv\b",
    "language": r"\bthrow\b|\bdynamic_cast\b|\btypeid\b",
}
ALLOW = "cmake/checks/purity_allow.txt"


def allowed():
    table = {}
    for line in tree.read(ALLOW).splitlines():
        if line.strip() and not line.startswith("#"):
            path, count, reason = (line.split(":", 2) + ["", ""])[:3]
            if not count.strip().isdigit() or not reason.strip():
                sys.exit(f"{ALLOW}: want path:count:reason, got: {line}")
            table[path.strip()] = int(count)
    return table


def offences(path):
    found = []
    text = tree.code_only(tree.read(path))
    for name, pattern in RULES.items():
        if name == "threads" and THREADED.match(path):
            continue
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            found.append((line, f"{path}:{line}: {name}: {match[0].strip()}"))
    return [text for _, text in sorted(found)]


def main():
    table, problems, checked = allowed(), [], 0
    for path in tree.files(*tree.CXX):
        if not path.startswith(("src/", "include/")) or EXEMPT.search(path):
            continue
        checked += 1
        found, count = offences(path), table.pop(path, 0)
        if len(found) > count:
            problems += found + [f"{path}: {len(found)} offence(s), {count} allowed"]
        elif len(found) < count:
            problems.append(f"{path}: only {len(found)} of {count} allowed offences left: lower it in {ALLOW}")
    problems += [f"{ALLOW}: {path} is gone, drop its line" for path in table]
    return tree.finish("lint.purity", problems, f"{checked} files")


sys.exit(main())
