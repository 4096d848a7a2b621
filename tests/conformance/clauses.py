#!/usr/bin/env python3
"""The clauses of webrtc-pc sections 4 to 11, and the tests whose names cite them: writes the table of README.md.

    clauses.py           writes the table anew
    clauses.py --check   fails if it is out of date, or a test cites a clause that is not in the list

A test cites a clause by its name: S4_4_1_5_OrderOfARemoteOffer. Prefixes name other specifications: Extensions_ is
webrtc-extensions, MediaCapture_ is mediacapture-streams.
"""

import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).parent
BEGIN, END = "<!-- clauses -->\n", "<!-- /clauses -->\n"

# Clause, what it is about, and where there is no test of its own: why. "see ..." names where it is tested instead.
CLAUSES = [
    ("4.2.1", "RTCConfiguration", ""),
    ("4.2.2", "RTCIceServer", "see tests/unit/api/facade_test.cc, tests/sim/turn_client_test.cc"),
    ("4.2.3", "RTCIceTransportPolicy", "see tests/sim/relay_test.cc"),
    ("4.2.4", "RTCBundlePolicy", ""),
    ("4.2.5", "RTCRtcpMuxPolicy", "only `require` exists, as the specification allows"),
    ("4.2.6", "offer and answer options", "see node/test/negotiation.test.mjs (iceRestart)"),
    ("4.3.1", "RTCSignalingState", "see tests/unit/jsep/offer_answer_test.cc, node/test/negotiation.test.mjs"),
    ("4.3.2", "RTCIceGatheringState", "see 5.6 and 4.4.1.4"),
    ("4.3.3", "RTCPeerConnectionState", ""),
    ("4.3.4", "RTCIceConnectionState", "see node/test/negotiation.test.mjs, tests/sim/call_test.cc"),
    ("4.4.1.1", "constructor", "see tests/unit/api/facade_test.cc"),
    ("4.4.1.2", "chain an asynchronous operation", ""),
    ("4.4.1.3", "update the connection state", "see 4.3.3"),
    ("4.4.1.4", "update the ICE gathering state", ""),
    ("4.4.1.5", "set the session description", ""),
    ("4.4.1.6", "set the configuration", "see 4.4.2"),
    ("4.4.2", "RTCPeerConnection", ""),
    ("4.4.3", "close, and legacy callbacks", "the callbacks exist for pages only: node/lib"),
    ("4.4.4", "garbage collection", "handles are counted in C++; see node/test/data.test.mjs"),
    ("4.5", "error handling", "see 4.4.1.2 and 11.1"),
    ("4.6", "session description model", "see tests/unit/jsep, tests/unit/sdp"),
    ("4.7.1", "setting negotiation-needed", "see 4.7.3"),
    ("4.7.2", "clearing negotiation-needed", "see 4.7.3"),
    ("4.7.3", "updating the negotiation-needed flag", ""),
    ("4.8.1", "RTCIceCandidate", "see node/test/values.test.mjs, tests/unit/sdp"),
    ("4.8.2", "RTCPeerConnectionIceEvent", "see node/test/negotiation.test.mjs"),
    ("4.8.3", "RTCPeerConnectionIceErrorEvent", "see tests/unit/ice/gatherer_test.cc"),
    ("4.9", "certificates", "see node/test/values.test.mjs, tests/unit/dtls"),
    ("5.1", "addTrack, removeTrack, addTransceiver, ontrack", ""),
    ("5.2", "RTCRtpSender and its parameters", ""),
    ("5.3", "RTCRtpReceiver", ""),
    ("5.4", "RTCRtpTransceiver", ""),
    ("5.5", "RTCDtlsTransport", "see node/test/data.test.mjs, tests/unit/api/facade_test.cc"),
    ("5.6", "RTCIceTransport", ""),
    ("5.7", "RTCTrackEvent", "see 4.4.1.5"),
    ("6.1", "RTCSctpTransport, createDataChannel", "see node/test/data.test.mjs, tests/unit/sctp"),
    ("6.2", "RTCDataChannel", ""),
    ("6.3", "RTCDataChannelEvent", "see node/test/data.test.mjs"),
    ("6.4", "garbage collection of channels", "handles are counted in C++; see node/test/data.test.mjs"),
    ("7.1", "dtmf of a sender", ""),
    ("7.2", "RTCDTMFSender", ""),
    ("7.3", "canInsertDTMF", "see 7.2"),
    ("7.4", "RTCDTMFToneChangeEvent", "see 7.2"),
    ("8.2", "getStats", ""),
    ("8.3", "RTCStatsReport", ""),
    ("8.4", "RTCStats", "see 8.6"),
    ("8.5", "the statistics selection algorithm", "see 8.3"),
    ("8.6", "statistics that must be implemented", ""),
    ("9.1", "identifiers of streams and tracks", "see tests/conformance/track_test.cc"),
    ("9.2", "MediaStreams over the network", "see 4.4.1.5"),
    ("9.3", "MediaStreamTracks over the network", "see 5.4, node/test/media.test.mjs"),
    ("10", "examples", "perfect negotiation (10.7): tests/sim/glare_test.cc, a thousand seeds"),
    ("11.1", "RTCError", "see node/test/values.test.mjs"),
    ("11.2", "RTCErrorEvent", "see node/test/data.test.mjs"),
]
TEST = re.compile(r"TEST(?:_F|_P)?\(\s*\w+,\s*(\w+)\)")
CITED = re.compile(r"^S(\d+(?:_\d+)*)_([A-Za-z]\w*)$")
OTHER = {"Extensions": "webrtc-extensions", "MediaCapture": "mediacapture-streams"}


def words(name):
    """OrderOfARemoteOffer -> order of a remote offer"""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.replace("_", " ")).lower()


def count(tests):
    return "1 test" if len(tests) == 1 else f"{len(tests)} tests"


def missing_paths():
    """Files that the list names and that are not there (any more)."""
    root = FOLDER.parent.parent
    for _, _, why in CLAUSES:
        for path in re.findall(r"(?:tests|node)/[\w./-]*\w", why):
            if not (root / path).exists() and not (FOLDER / path).exists():
                yield path


def collect():
    by_clause, others = {}, []
    for path in sorted(FOLDER.glob("*_test.cc")):
        for name in TEST.findall(path.read_text()):
            prefix, _, rest = name.partition("_")
            cited = CITED.match(name)
            if cited:
                by_clause.setdefault(cited[1].replace("_", "."), []).append(words(cited[2]))
            elif prefix in OTHER:
                inner = CITED.match(rest)
                clause = f" {inner[1].replace('_', '.')}" if inner else ""
                others.append((OTHER[prefix] + clause, words(inner[2] if inner else rest)))
    return by_clause, others


def table(by_clause, others):
    lines = ["| clause | about | tests by name | state |", "|---|---|---|---|"]
    for clause, about, why in CLAUSES:
        tests = by_clause.get(clause, [])
        state = count(tests) if tests else why
        lines.append(f"| {clause} | {about} | {'; '.join(tests)} | {state} |")
    for specification in sorted({name for name, _ in others}):
        tests = [test for name, test in others if name == specification]
        lines.append(f"| {specification} | | {'; '.join(tests)} | {count(tests)} |")
    return "\n".join(lines) + "\n"


def main():
    by_clause, others = collect()
    known = {clause for clause, _, _ in CLAUSES}
    wrong = sorted(set(by_clause) - known)
    wrong += [clause for clause, _, why in CLAUSES if not why and clause not in by_clause]
    if wrong:
        sys.exit(f"clauses that are cited but not listed, or neither tested nor explained: {', '.join(wrong)}")
    if gone := sorted(set(missing_paths())):
        sys.exit(f"named but not there: {', '.join(gone)}")
    readme = FOLDER / "README.md"
    text = readme.read_text()
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    new = head + BEGIN + table(by_clause, others) + END + tail
    if "--check" not in sys.argv:
        readme.write_text(new)
    elif new != text:
        sys.exit("tests/conformance/README.md is out of date: run tests/conformance/clauses.py")


main()
