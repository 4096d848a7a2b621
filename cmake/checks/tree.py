"""What all checks share: the project's files, the layer table, and C++ text without its comments."""

import os
import re
import subprocess

CXX = (".cc", ".h")


def root():
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*suffixes):
    """Paths relative to the root: what git tracks or would track, else what lies there."""
    try:
        listed = subprocess.run(
            ["git", "-C", root(), "ls-files", "-co", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = []
        for folder, names, found in os.walk(root()):
            names[:] = [n for n in names if n != "node_modules" and not n.startswith(("build", "."))]
            listed += [os.path.relpath(os.path.join(folder, f), root()) for f in found]
    listed = [f for f in listed if os.path.isfile(os.path.join(root(), f))]
    return sorted(f for f in listed if f.endswith(suffixes))


def read(path):
    with open(os.path.join(root(), path), encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


class Layers:
    """cmake/layers.txt: `name: direct layers | external packages`."""

    def __init__(self):
        self.direct, self.externals = {}, {}
        for line in read("cmake/layers.txt").splitlines():
            match = re.match(r"^([a-z]+):([^|]*)\|(.*)$", line)
            if match:
                self.direct[match[1]] = match[2].split()
                self.externals[match[1]] = [e for e in match[3].split() if e != "-"]

    def closure(self, layer):
        found, todo = set(), [layer]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.direct.get(name, [])
        return found


def layer_of(path):
    """The layer that a file belongs to, or None: include/parley/X/, src/X/, tests/unit/X/."""
    match = re.match(r"^(?:include/parley|src|tests/unit)/([a-z]+)/", path)
    return match[1] if match else None


_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'", re.S)


def code_only(text):
    """`text` with comments and literals blanked, line numbers kept. Include lines stay as they are."""
    def blank(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if match[0][0] == '"' and text[line_start:match.start()].lstrip().startswith("#include"):
            return match[0]
        return '""' + "\n" * match[0].count("\n") if match[0][0] in "\"R" else "\n" * match[0].count("\n")
    return _TOKENS.sub(blank, text)


def finish(name, problems, note=""):
    """Prints the verdict and returns the exit code."""
    for problem in problems:
        print(problem)
    print(f"{name}: {len(problems)} problem(s)" + (f"; {note}" if note else ""))
    return 1 if problems else 0
