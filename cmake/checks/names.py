#!/usr/bin/env python3
"""lint.names: what comments of public headers name is there. `Scope::name` must be a member of such a class, enumeration
or namespace; a `camelCase` word in backticks must be some identifier of the code.

    names.py
"""

import re
import sys

import tree

QUALIFIED = re.compile(r"(?<![\w:/.])([A-Za-z_]\w*(?:::~?\w+)+)")
QUOTED = re.compile(r"`([^`]*)`")
CAMEL_CASE = re.compile(r"^_?[a-z][a-z0-9]*[A-Z]\w*$")
SCOPE = re.compile(r"\b(?:class|struct|enum class|enum|namespace)\s+(?:PARLEY_EXPORT\s+)?([\w:]+)[^;{}()]*\{")
# Names of the C++ library, and of the fields of W3C dictionaries that comments compare ours with.
FOREIGN = {"std"}
W3C = {"srtpCipher"}
# Patterns for names, in base/machine.h.
PATTERNS = {"handleX", "pollX"}


def scopes(code, into):
    """Adds the identifiers in each scope's braces, nested ones included."""
    for match in SCOPE.finditer(code):
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
        words = set(re.findall(r"\w+", code[match.end():end]))
        parts = match[1].split("::")
        for name, inner in zip(parts, parts[1:] + [None]):
            into.setdefault(name, set()).update({inner} if inner else words)


def missing(comment, known, members):
    for name in QUALIFIED.findall(comment):
        parts = name.replace("~", "").split("::")
        if parts[0] in FOREIGN:
            continue
        for scope, member in zip(parts, parts[1:]):
            if member not in members.get(scope, ()):
                yield name
                break
    for quoted in QUOTED.findall(comment):
        for word in re.findall(r"(?<![\w=:-])\w+(?![\w-])", quoted):
            if CAMEL_CASE.match(word) and word not in known and word not in W3C | PATTERNS:
                yield word


def main():
    members, known, problems = {}, set(), []
    paths = [p for p in tree.files(*tree.CXX) if p.startswith(("include/", "src/"))]
    for path in paths:
        code = tree.code_only(tree.read(path))
        known |= set(re.findall(r"\w+", code))
        scopes(code, members)
    for path in paths:
        if not path.startswith("include/"):
            continue
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            at = line.find("//")
            if at >= 0:
                problems += [f"{path}:{number}: there is no {name}" for name in missing(line[at:], known, members)]
    print("\n".join(problems + [f"lint.names: {len(problems)} problem(s)"]))
    return 1 if problems else 0


sys.exit(main())
