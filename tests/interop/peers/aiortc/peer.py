"""aiortc as a test peer, driven by lines of JSON on standard input and output: see ../../README.md.

It gathers before it describes itself, so that its candidates stand in its descriptions. It knows no ICE restart.
"""

import asyncio
import base64
import json
import sys
import time

import aiortc
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from content import Tally, fnv1a, message_plan, payload
from media import Pictures, Sink, Tone, picture

REPORTED_BYTES = 4096
SEND_BUFFER = 1 << 20
FPS = 15  # what its encoder manages beside everything else in one thread


def say(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Channel:
    def __init__(self, pc, name, channel, mode):
        self.pc, self.name, self.channel, self.mode = pc, name, channel, mode or "event"
        self.tally, self.waiting, self.opened = Tally(), [], asyncio.Event()
        channel.on("open", self.open)
        channel.on("message", self.receive)
        channel.on("close", lambda: self.report("close"))
        if channel.readyState == "open":
            self.open()

    def report(self, event, **more):
        say({"event": event, "pc": self.pc, "dc": self.name, **more})

    def open(self):
        if not self.opened.is_set():
            self.opened.set()
            self.report("open", id=self.channel.id)

    def describe(self):
        c = self.channel
        return {"dc": self.name, "label": c.label, "protocol": c.protocol, "id": c.id, "ordered": c.ordered,
                "maxRetransmits": c.maxRetransmits, "maxPacketLifeTime": c.maxPacketLifeTime, "negotiated": c.negotiated}

    def receive(self, message):
        text = isinstance(message, str)
        data = message.encode() if text else message
        self.tally.add(data, text)
        if self.mode == "echo":
            self.channel.send(message)
        elif self.waiting:
            self.waiting.pop(0).set_result(data)
        elif self.mode == "event":
            short = len(data) <= REPORTED_BYTES
            content = {"text": message} if text else {"base64": base64.b64encode(data).decode()}
            self.report("message", size=len(data), hash=fnv1a(data), **(content if short else {}))

    async def room(self, below):
        await asyncio.wait_for(self.opened.wait(), 20)
        while self.channel.readyState == "open" and self.channel.bufferedAmount > below:
            await asyncio.sleep(0.002)
        if self.channel.readyState != "open":
            raise ValueError(f"channel is {self.channel.readyState}")

    async def put(self, data, text):
        await self.room(SEND_BUFFER)
        self.channel.send(data.decode() if text else data)
        await asyncio.sleep(0)

    async def send(self, r):
        for index in range(r.get("count", 1)):
            if "text" in r:
                await self.put(r["text"].encode(), True)
            else:
                data = base64.b64decode(r["base64"]) if "base64" in r else payload(r["size"], index, False)
                await self.put(data, False)

    async def send_plan(self, r):
        sent = Tally()
        for index, size, text in message_plan(r.get("seed", 1), r.get("count", 1000), r.get("max", 262144)):
            data = payload(size, index, text)
            await self.put(data, text)
            sent.add(data, text)
        return sent.result()

    async def ping(self, r):
        count, size, wrong, times = r.get("count", 20), r.get("size", 32), 0, []
        await self.room(SEND_BUFFER)
        for index in range(count):
            out = payload(size, index, False)
            echo = asyncio.get_running_loop().create_future()
            self.waiting.append(echo)
            began = time.perf_counter()
            self.channel.send(out)
            wrong += await asyncio.wait_for(echo, r.get("timeout", 5000) / 1000) != out
            times.append((time.perf_counter() - began) * 1000)
        times.sort()
        return {"count": count, "size": size, "wrong": wrong, "rtt_ms_min": times[0], "rtt_ms_p50": times[count // 2],
                "rtt_ms_max": times[-1]}

    def received(self):
        return {**self.tally.result(), "state": self.channel.readyState, "buffered": self.channel.bufferedAmount}


class Connection:
    def __init__(self, peer, name, config):
        self.peer, self.name, self.incoming = peer, name, "event"
        servers = []
        for server in config.get("iceServers", []):
            servers.append(RTCIceServer(server["urls"], server.get("username"), server.get("credential")))
        self.pc = RTCPeerConnection(RTCConfiguration(servers))
        self.sinks, self.sources = {}, {}
        for kind in ("connection", "iceConnection", "iceGathering", "signaling"):
            self.pc.on(f"{kind.lower()}statechange", lambda kind=kind: self.report("state", kind=kind, value=self.state(kind)))
        self.pc.on("datachannel", lambda channel: peer.adopt(self, channel))
        self.pc.on("track", self.on_track)

    def report(self, event, **more):
        say({"event": event, "pc": self.name, **more})

    def state(self, kind):
        return getattr(self.pc, f"{kind}State")

    def on_track(self, track):
        mid = next((t.mid for t in self.pc.getTransceivers() if t.receiver.track is track), None)
        self.sinks[track.id] = Sink(track, mid)
        self.report("track", mid=mid, kind=track.kind, id=track.id, streams=[])

    def local(self):
        described = self.pc.localDescription
        if not described:
            return None
        return {"type": described.type, "sdp": described.sdp}

    async def describe(self, r, offer):
        made = await (self.pc.createOffer() if offer else self.pc.createAnswer())
        if not r.get("set"):
            return {"type": made.type, "sdp": made.sdp}
        await self.pc.setLocalDescription(made)
        self.report("candidate", candidate=None)
        return self.local()

    async def set_remote(self, r):
        await self.pc.setRemoteDescription(RTCSessionDescription(r["desc"]["sdp"], r["desc"]["type"]))

    async def add_candidate(self, r):
        given = r.get("candidate")
        if not given or not given.get("candidate"):
            return await self.pc.addIceCandidate(None)
        candidate = candidate_from_sdp(given["candidate"].split(":", 1)[1])
        candidate.sdpMid, candidate.sdpMLineIndex = given.get("sdpMid"), given.get("sdpMLineIndex")
        await self.pc.addIceCandidate(candidate)

    async def wait(self, r):
        kind, value, end = r.get("kind", "connection"), r.get("value", "connected"), time.monotonic() + r.get("timeout", 15000) / 1000
        while self.state(kind) != value:
            if time.monotonic() > end:
                raise ValueError(f"timeout: {kind} is {self.state(kind)}")
            await asyncio.sleep(0.005)

    def add_track(self, r):
        kind = r["kind"]
        if kind == "audio":
            track = Tone(r.get("frequency", 440))
        else:
            track = Pictures(r.get("width", 640), r.get("height", 360), min(r.get("fps", FPS), FPS))
        self.sources[kind] = track
        self.pc.addTrack(track)
        return {"trackId": track.id}

    def source_frame(self, r):
        number = r["number"]
        luma = self.sources["video"].sent.get(number)
        if luma is None:
            raise ValueError(f"no frame {number}")
        return picture(luma, number)

    def frame(self):
        videos = [sink for sink in self.sinks.values() if sink.kind == "video"]
        if not videos:
            raise ValueError("no video received")
        return videos[-1].frame()

    def selected(self):
        transports = [t.receiver.transport for t in self.pc.getTransceivers()]
        if self.pc.sctp:
            transports.append(self.pc.sctp.transport)
        codecs = [{"kind": t.kind, "mime": codecs[0].mimeType} for t in self.pc.getTransceivers() if (codecs := getattr(t, "_codecs"))]
        out = {"local": None, "remote": None, "codecs": codecs}
        if transports:
            pair = getattr(transports[0].transport, "_connection")._nominated.get(1)
            if pair:
                for key, c in (("local", pair.local_candidate), ("remote", pair.remote_candidate)):
                    out[key] = {"type": c.type, "address": c.host, "port": c.port, "protocol": c.transport.lower()}
        return out


class Peer:
    def __init__(self):
        self.connections, self.channels = {}, {}

    def adopt(self, connection, channel):
        label = name = channel.label or "dc"
        number = 2
        while name in self.channels:
            name, number = f"{label}#{number}", number + 1
        made = self.channels[name] = Channel(connection.name, name, channel, connection.incoming)
        say({"event": "datachannel", "pc": connection.name, **made.describe()})

    def open_channel(self, c, r):
        init = dict(r.get("init") or {})
        made = c.pc.createDataChannel(r.get("label", r["dc"]), **init)
        self.channels[r["dc"]] = Channel(c.name, r["dc"], made, r.get("mode"))
        return self.channels[r["dc"]].describe()

    async def run(self, r):
        cmd, pc = r["cmd"], r.get("pc", "pc")
        if cmd == "create":
            self.connections[pc] = Connection(self, pc, r.get("config", {}))
            return None
        if cmd in ("mode", "send", "sendPlan", "received", "ping", "closeChannel"):
            c = self.channels[r["dc"]]
            if cmd == "mode":
                c.mode = r["mode"]
            elif cmd == "closeChannel":
                c.channel.close()
            elif cmd == "received":
                return c.received()
            else:
                return await {"send": c.send, "sendPlan": c.send_plan, "ping": c.ping}[cmd](r)
            return None
        c = self.connections[pc]
        if cmd in ("createOffer", "createAnswer"):
            return await c.describe(r, cmd == "createOffer")
        if cmd == "setLocal":
            return await c.pc.setLocalDescription(RTCSessionDescription(r["desc"]["sdp"], r["desc"]["type"]))
        if cmd == "close":
            del self.connections[pc]
            return await c.pc.close()
        if cmd == "incoming":
            c.incoming = r["mode"]
            return None
        if cmd == "openChannel":
            return self.open_channel(c, r)
        if cmd in ("setRemote", "addCandidate", "wait"):
            return await {"setRemote": c.set_remote, "addCandidate": c.add_candidate, "wait": c.wait}[cmd](r)
        if cmd == "media":
            return [sink.measure() for sink in c.sinks.values()]
        plain = {"localDescription": c.local, "frame": c.frame, "selected": c.selected, "setSender": lambda: None,
                 "addTrack": lambda: c.add_track(r), "sourceFrame": lambda: c.source_frame(r),
                 "sctp": lambda: {"maxMessageSize": 65536}}
        if cmd not in plain:
            raise ValueError(f"unknown command {cmd}")
        return plain[cmd]()

    async def answer(self, r):
        try:
            say({"id": r.get("id"), "ok": True, "result": await self.run(r)})
        except Exception as error:
            say({"id": r.get("id"), "ok": False, "error": f"{type(error).__name__}: {error}"})


async def main():
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say({"event": "ready", "peer": "aiortc", "version": aiortc.__version__, "maxMessage": 65535, "messages": 300, "fps": FPS})
    peer, tasks = Peer(), set()
    while line := await reader.readline():
        request = json.loads(line)
        if request["cmd"] == "quit":
            say({"id": request.get("id"), "ok": True, "result": None})
            break
        task = asyncio.ensure_future(peer.answer(request))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
