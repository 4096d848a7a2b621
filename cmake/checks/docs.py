#!/usr/bin/env python3
"""lint.docs: what a user of include/parley/api can name says what it is. Classes, enumerations, aliases, functions and
public members have a comment of one of these kinds:

- `///` on the lines above, or `///<` behind;
- the comment of an overload right above;
- a plain `//` right above a run of declarations: it speaks for all of them up to the next empty line.

Destructors, assignments, comparisons, what is deleted or defaulted, friends, forward declarations and what coroutines need
by its name have none to have, nor does what is in a namespace whose name ends with `_internal`.

    docs.py [FILE...]
"""

import re
import sys

import tree

FOLDER = "include/parley/api/"
SCOPE = re.compile(r"^(?:template\s*<.*?>\s*)?(namespace|class|struct|enum)\b")
ACCESS = re.compile(r"^(public|private|protected)$")
NEEDS_NONE = re.compile(r"=\s*(?:delete|default)\s*$|\boperator\s*(?:=|<=>|co_await)|^friend\b|^static_assert\b|"
                        r"^(?:class|struct|enum(?: class)?)\s+\w+$|^using\s+(?:namespace\s+)?[\w:]+$|"
                        r"\bawait_(?:ready|suspend|resume)\b|\bpromise_type\b|\bget_return_object\b|^~\w+\(")


class Declaration:
    def __init__(self, text, first, last, scope):
        self.text, self.first, self.last, self.scope = " ".join(text.split()), first, last, scope
        head = re.split(r"[({=;]", re.sub(r"^template\s*<.*?>\s*(?=\w)", "", self.text), maxsplit=1)[0]
        words = re.findall(r"operator\s*\S+|~?\w+", re.sub(r"<.*>", "", head))
        self.name = words[-1] if words else self.text


def skip_braces(code, at):
    depth = 0
    while at < len(code):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        at += 1
        if depth == 0:
            break
    return at


def declarations(code):
    """What is public in `code`, which has no comments. Scopes are numbered."""
    code = re.sub(r"^[ \t]*#.*$", "", code, flags=re.M)
    stack = [(0, True, True)]  # number of the scope, whether it is seen from outside, and what comes next in it
    scopes, start, at = 0, 0, 0

    def made(end):
        text = code[start:end]
        lead = len(text) - len(text.lstrip())
        line = lambda offset: code.count("\n", 0, offset) + 1
        return Declaration(text, line(start + lead), line(max(end - 1, 0)), stack[-1][0])

    while at < len(code):
        c = code[at]
        text = code[start:at].strip()
        if c == ":" and ACCESS.match(text):
            stack[-1] = (*stack[-1][:2], stack[-1][1] and text == "public")
            at += 1
            start = at
        elif c == "{":
            kind = SCOPE.match(text)
            if kind and "(" not in text:
                seen = stack[-1][2] and not re.search(r"_internal$", text)
                if kind[1] != "namespace" and seen and not NEEDS_NONE.search(text):
                    yield made(at)
                if kind[1] == "enum":
                    at = skip_braces(code, at)
                else:
                    scopes += 1
                    stack.append((scopes, seen, seen and kind[1] != "class"))
                    at += 1
                    start = at
            else:
                end = skip_braces(code, at)
                # A body ends the declaration; an initializer's braces do not.
                if re.search(r"\)[^=]*$", text) and not re.match(r"\s*[;,]", code[end:]):
                    if stack[-1][2] and not NEEDS_NONE.search(text):
                        yield made(at)
                    start = end
                at = end
        elif c == "}":
            stack.pop()
            at += 1
            start = at
        elif c == ";":
            if text and stack[-1][2] and not NEEDS_NONE.search(text) and not text.startswith("enum"):
                yield made(at + 1)
            at += 1
            start = at
        else:
            at += 1


def undocumented(text):
    lines = text.split("\n")
    told = {}  # last line of a declaration with a comment -> its name and scope

    def own(d):
        above = lines[d.first - 2].strip() if d.first > 1 else ""
        behind = any("///<" in line for line in lines[d.first - 1:d.last])
        return above.startswith("///") or behind

    def group(d):
        for line in reversed(lines[:d.first - 1]):
            if not line.strip():
                return False
            if re.match(r"\s*//(?!/)", line):
                return True
        return False

    for d in declarations(tree.code_only(text)):
        if own(d) or told.get(d.first - 1) == (d.name, d.scope) or group(d):
            told[d.last] = (d.name, d.scope)
        else:
            yield d


def main():
    paths = sys.argv[1:] or [p for p in tree.files(".h") if p.startswith(FOLDER)]
    problems = [f"{path}:{d.first}: {d.name} has no comment" for path in paths for d in undocumented(tree.read(path))]
    return tree.finish("lint.docs", problems)


sys.exit(main())
