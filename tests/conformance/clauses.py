#!/usr/bin/env python3
"""The algorithms of the W3C specifications, and the tests whose names cite them: writes the table of README.md.

    clauses.py           writes the table anew
    clauses.py --check   fails if it is out of date

Both fail if a test cites no clause that clauses.txt lists (which says how it is written), or if something is listed there
with tests that are not there. A test that no outcome names is shown as a further one of the clause that it cites, or of
its specification.
"""

import fnmatch
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parent.parent
BEGIN, END = "<!-- clauses -->\n", "<!-- /clauses -->\n"
TEST = re.compile(r"TEST(?:_F|_P)?\(\s*\w+,\s*(\w+)\)")
CITED = re.compile(r"^S(\d+(?:_\d+)*)_([A-Za-z]\w*)$")


class Specification:
    def __init__(self, name, prefix):
        self.name, self.prefix = name, prefix
        self.clauses = []  # [number, title, [(outcome, tests or remark)]]

    def rows_of(self, number):
        return next((clause for clause in self.clauses if clause[0] == number), None)

    def cited_by(self, test):
        """The clause that a test cites: None if it is none of ours, "" for the specification as such."""
        rest = test
        if self.prefix != "S":
            head, _, rest = test.partition("_")
            if head != self.prefix:
                return None
        cited = CITED.match(rest)
        if cited:
            return cited[1].replace("_", ".")
        return None if self.prefix == "S" else ""


def words(test):
    """S4_4_1_5_OrderOfARemoteOffer -> order of a remote offer"""
    name = re.sub(r"^[A-Z]\w*?_(?=[A-Z])", "", re.sub(r"^(?:[A-Za-z0-9]+_)?S\d+(?:_\d+)*_", "", test))
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.replace("_", " ")).lower()


def read_list():
    out = []
    for line in (FOLDER / "clauses.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("== "):
            name, prefix = line[3:].split(" | ")
            out.append(Specification(name, prefix))
        elif line.startswith("- "):
            if not out[-1].clauses:
                out[-1].clauses.append(["", "", []])
            out[-1].clauses[-1][2].append(line[2:].split(" | "))
        else:
            number, title = line.split(" ", 1)
            out[-1].clauses.append([number, title, []])
    return out


def tests():
    return [name for path in sorted(FOLDER.glob("*_test.cc")) for name in TEST.findall(path.read_text())]


def elsewhere(remark, problems):
    """`see FILE: NAME`: is it there?"""
    path, _, name = remark[len("see "):].partition(": ")
    if not (ROOT / path).is_file() or name not in (ROOT / path).read_text():
        problems.append(f"not there: {remark}")


def rows(specifications, problems):
    """Specification, clause, title, outcome, state, tests by name."""
    every = tests()
    shown, out = set(), {}
    for spec in specifications:
        for number, title, outcomes in spec.clauses:
            for outcome, where in outcomes:
                if where.startswith(("no: ", "see ")):
                    if where.startswith("see "):
                        elsewhere(where, problems)
                    out.setdefault((spec.name, number), []).append((title, outcome, where, []))
                    continue
                found = []
                for pattern in where.split():
                    names = [t for t in every if fnmatch.fnmatchcase(t, pattern)]
                    if not names:
                        problems.append(f"{spec.name} {number}, {outcome}: no test is called {pattern}")
                    found += [t for t in names if t not in found]
                shown.update(found)
                out.setdefault((spec.name, number), []).append((title, outcome, "", found))
    for test in every:
        if test in shown:
            continue
        spec, number = next(((s, c) for s in specifications if (c := s.cited_by(test)) is not None), (None, None))
        if spec is None:
            problems.append(f"{test} cites no clause: its name begins with S and a clause, or with a prefix of clauses.txt")
            continue
        clause = spec.rows_of(number)
        if clause is None and number:
            problems.append(f"{test} cites {spec.name} {number}, which clauses.txt does not list")
            continue
        listed = out.setdefault((spec.name, number), [])
        further = next((row for row in listed if row[1] == "further"), None)
        if further is None:
            further = (clause[1] if clause else "", "further", "", [])
            listed.append(further)
        further[3].append(test)
    return out


def table(specifications, problems):
    by_clause = rows(specifications, problems)
    lines = ["| clause | algorithm | outcome | state | tests by name |", "|---|---|---|---|---|"]
    count = {"tested": 0, "elsewhere": 0, "not applicable": 0}
    for spec in specifications:
        numbers = [clause[0] for clause in spec.clauses]
        numbers += [n for s, n in by_clause if s == spec.name and n not in numbers]
        for number in numbers:
            listed = by_clause.get((spec.name, number), [])
            if not listed:
                problems.append(f"{spec.name} {number} has no outcome")
            for index, (title, outcome, where, found) in enumerate(listed):
                clause = f"{spec.name} {number}".strip() if index == 0 else ""
                kind = "tested" if found else "elsewhere" if where.startswith("see ") else "not applicable"
                count[kind] += 1
                state = kind if found else f"{kind}: {where.split(' ', 1)[1]}"
                names = "; ".join(words(t) for t in found)
                lines.append(f"| {clause} | {title if index == 0 else ''} | {outcome} | {state} | {names} |")
    summary = (f"{len(tests())} tests. {count['tested']} outcomes are tested here, {count['elsewhere']} elsewhere; "
               f"{count['not applicable']} do not apply.\n\n")
    return summary + "\n".join(lines) + "\n"


def main():
    problems = []
    new = table(read_list(), problems)
    if problems:
        sys.exit("\n".join(problems))
    readme = FOLDER / "README.md"
    text = readme.read_text()
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    new = head + BEGIN + new + END + tail
    if "--check" not in sys.argv:
        readme.write_text(new)
    elif new != text:
        sys.exit("tests/conformance/README.md is out of date: run tests/conformance/clauses.py")


main()
