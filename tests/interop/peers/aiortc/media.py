"""What this peer sends, and what it makes of what comes."""

import asyncio
import base64
import collections
import fractions
import time

import numpy as np
from aiortc import MediaStreamTrack
from av import AudioFrame, VideoFrame

from content import analyse, pattern, read_number

KEPT_FRAMES = 120
RATE, SAMPLES = 48000, 960


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, frequency):
        super().__init__()
        self.frequency, self.position, self.began = frequency, 0, None

    async def recv(self):
        self.began = self.began or time.monotonic()
        wait = self.began + self.position / RATE - time.monotonic()
        await asyncio.sleep(max(0, wait))
        angle = 2 * np.pi * self.frequency * (self.position + np.arange(SAMPLES)) / RATE
        samples = (8000 * np.sin(angle)).astype(np.int16).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.position, fractions.Fraction(1, RATE)
        self.position += SAMPLES
        return frame


class Pictures(MediaStreamTrack):
    kind = "video"

    def __init__(self, width, height, fps):
        super().__init__()
        self.size, self.fps, self.number, self.began = (width, height), fps, 0, None
        self.sent = collections.OrderedDict()

    async def recv(self):
        now = time.monotonic()
        self.began = self.began or now
        # Pictures whose time has passed are left out, as a camera would.
        self.number = max(self.number + 1, int((now - self.began) * self.fps))
        await asyncio.sleep(max(0, self.began + self.number / self.fps - time.monotonic()))
        width, height = self.size
        luma = pattern(width, height, self.number)
        grey = np.full((height // 2, width), 128, np.uint8)
        frame = VideoFrame.from_ndarray(np.vstack([luma, grey]), format="yuv420p")
        frame.pts, frame.time_base = self.number * 90000 // self.fps, fractions.Fraction(1, 90000)
        self.sent[self.number] = luma
        if len(self.sent) > KEPT_FRAMES:
            self.sent.popitem(last=False)
        return frame


def plane(frame):
    """Brightness, without the padding of rows."""
    first = frame.planes[0]
    rows = np.frombuffer(first, np.uint8).reshape(-1, first.line_size)
    return rows[:frame.height, :frame.width]


def picture(luma, number):
    height, width = luma.shape
    return {"width": width, "height": height, "number": number, "luma": base64.b64encode(luma.tobytes()).decode()}


class Sink:
    """Takes what a track brings: the last picture, the last half second of sound."""

    def __init__(self, track, mid):
        self.track, self.mid, self.kind = track, mid, track.kind
        self.frames, self.last, self.rate = 0, None, RATE
        self.sound = collections.deque(maxlen=RATE // 2)
        self.task = asyncio.ensure_future(self.pull())

    async def pull(self):
        while True:
            try:
                frame = await self.track.recv()
            except Exception:  # the track is over
                return
            self.frames += 1
            if self.kind == "video":
                self.last = frame
                continue
            samples = frame.to_ndarray().reshape(-1)
            channels = len(frame.layout.channels)
            self.rate = frame.sample_rate
            self.sound.extend(samples[::channels] / 32768.0)

    def measure(self):
        if self.kind == "video":
            size = (self.last.width, self.last.height) if self.last else (0, 0)
            return {"mid": self.mid, "kind": "video", "frames": self.frames, "width": size[0], "height": size[1]}
        return {"mid": self.mid, "kind": "audio", **analyse(np.array(self.sound), self.rate)}

    def frame(self):
        if not self.last:
            raise ValueError("no video received")
        luma = plane(self.last)
        return picture(luma, read_number(luma))
