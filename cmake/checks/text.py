#!/usr/bin/env python3
"""lint.size, lint.ascii, lint.format and lint.links: `text.py size|ascii|format|links`."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree

SOURCES = (".cc", ".h", ".c", ".py", ".mjs", ".js", ".css", ".html", ".cmake", ".sh")
TEXTS = SOURCES + (".md", ".txt", ".json", ".in", "run", ".clang-format", ".gitignore", "LICENSE")
# Recorded input is what it is.
DATA = re.compile(r"^tests/(vectors|fuzz/corpus|interop/sdp)/|(^|/)package-lock\.json$")
SOFT, HARD = 600, 1000


def size():
    problems, large = [], 0
    for path in tree.files(*SOURCES):
        if DATA.search(path):
            continue
        lines = tree.read(path).count("\n")
        if lines > HARD:
            problems.append(f"{path}: {lines} lines, more than {HARD}")
        elif lines > SOFT:
            large += 1
            print(f"warning: {path}: {lines} lines, more than {SOFT}")
    return tree.finish("lint.size", problems, f"{large} file(s) over {SOFT} lines")


def ascii_only():
    problems = []
    for path in tree.files(*TEXTS):
        if DATA.search(path):
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            if not line.isascii() or "\r" in line or "\t" in line:
                problems.append(f"{path}:{number}: not plain ASCII text: {line.strip()[:60]!a}")
            elif line != line.rstrip():
                problems.append(f"{path}:{number}: space at the end of the line")
    return tree.finish("lint.ascii", problems)


def formatted():
    paths = [p for p in tree.files(*tree.CXX) if not DATA.search(p)]
    batches = [paths[i::16] for i in range(16) if paths[i::16]]

    def run(batch):
        command = [os.environ.get("CLANG_FORMAT", "clang-format"), "--dry-run", "--ferror-limit=1", "-Werror", *batch]
        return subprocess.run(command, cwd=tree.root(), capture_output=True, text=True).stderr

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        errors = "".join(pool.map(run, batches))
    places = [line for line in errors.splitlines() if re.search(r": error: ", line)]
    wrong = sorted({p.split(":", 1)[0] for p in places})
    if wrong:
        print("put right by: clang-format -i " + " ".join(wrong))
    return tree.finish("lint.format", places, f"{len(paths)} files")


def links():
    """Relative links in the project's own pages lead somewhere. A heading without a space gives away a page that went
    through clang-format, which takes everything it is given for C++."""
    problems = []
    for path in tree.files(".md"):
        prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", tree.read(path), flags=re.S | re.M)
        problems += [f"{path}: not a heading: {line}" for line in re.findall(r"^#+[^#\s].*", prose, flags=re.M)]
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            target = target.split("#")[0]
            if target and "://" not in target and not target.startswith("mailto:"):
                if not os.path.exists(os.path.join(tree.root(), os.path.dirname(path), target)):
                    problems.append(f"{path}: dead link {target}")
    return tree.finish("lint.links", problems)


sys.exit({"size": size, "ascii": ascii_only, "format": formatted, "links": links}[sys.argv[1]]())
