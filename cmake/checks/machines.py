#!/usr/bin/env python3
"""Every machine keeps the ten rules (src/README.md): each class with advance() and nextDeadline() has a
`MachineCase{"<class>..."` in a tests/unit/*/machine_contract_test.cc.

    machines.py
"""

import re
import sys

import tree

# Reached through the machine named; not one by itself.
PARTS = {
    "AgentCore": "Agent",
    "GathererCore": "Gatherer",
    "UpnpMapperCore": "UpnpMapper",
    "RelayGatherer": "Gatherer",
    "TcpGatherer": "Gatherer",
    "ClientCore": "Client",
    "ServerCore": "Server",
    "TlsSessionCore": "TlsSession",
    "Association": "NativeAssociation",
    "ReceiveStream": "ReceiveHub",
    "AudioReceiveStream": "ReceiveHub",
    "ForwardReceiveStream": "ReceiveHub",
    "VideoReceiveStream": "ReceiveHub",
    "Driven": "Endpoint",
    # A Server with a place in the simulated world.
    "TurnServer": "Server",
    # A device of the simulated world, without time.
    "UpnpGateway": "UpnpMapper",
    # An Endpoint behind a mutex. The simulator's tests run whole calls through it, twice, and compare.
    "LoopCore": "Endpoint",
}
CLASS = re.compile(r"^(?:class|struct) (?:PARLEY_EXPORT )?(\w+)(?: final)?(?: :[^;{]*)?\s*\{\n(.*?)^\};", re.M | re.S)


def machines():
    for path in tree.files(".h"):
        if not path.startswith(("include/parley/", "src/")):
            continue
        if path.startswith(("include/parley/io/", "src/io/")):  # drivers of machines
            continue
        for name, body in CLASS.findall(re.sub(r"//.*", "", tree.read(path))):
            if re.search(r"\badvance\(Timestamp\b", body) and "nextDeadline() const" in body:
                yield name, path


def main():
    cases = set()
    for path in tree.files("machine_contract_test.cc"):
        cases |= set(re.findall(r'MachineCase\{\s*(?:\.name = )?"(\w+?)(?:Over\w+)?"', tree.read(path)))
    found = list(machines())
    problems = [f"{path}: {name} has no case in a machine_contract_test.cc"
                for name, path in found if PARTS.get(name, name) not in cases]
    problems += [f"{__file__}: {name} is no machine" for name in PARTS if name not in {n for n, _ in found}]
    print("\n".join(problems + [f"lint.machines: {len(found)} machines, {len(problems)} problem(s)"]))
    return 1 if problems or not found else 0


sys.exit(main())
