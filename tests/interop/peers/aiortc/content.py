"""What test peers send, and how the receiver recognises it: the rules stand in ../../README.md."""

import numpy as np

FNV_OFFSET, FNV_PRIME, MASK = 2166136261, 16777619, 0xFFFFFFFF
COLUMNS, ROWS = 16, 2


def fnv1a(data, value=FNV_OFFSET):
    for byte in data:
        value = ((value ^ byte) * FNV_PRIME) & MASK
    return value


_BINARY = bytes((31 * j) & 255 for j in range(256))
_TEXT = bytes(32 + (31 * j) % 95 for j in range(95))


def payload(size, index, text):
    """Byte j is 31 j + 7 i; both kinds repeat themselves, so that a shifted period is enough."""
    if text:
        period = bytes(32 + (31 * j + 7 * index) % 95 for j in range(95)) if index else _TEXT
    else:
        period = bytes((31 * j + 7 * index) & 255 for j in range(256)) if index else _BINARY
    return (period * (size // len(period) + 1))[:size]


def message_plan(seed=1, count=1000, maximum=262144):
    state = (seed & MASK) or 1

    def draw():
        nonlocal state
        state = (state ^ (state << 13)) & MASK
        state ^= state >> 17
        state = (state ^ (state << 5)) & MASK
        return state

    for index in range(count):
        kind = draw()
        power = 1 << (draw() % 19)
        size = min(maximum, power - 1 + draw() % power)
        if index % 50 == 0:
            size = 0
        elif index % 50 == 1:
            size = maximum
        yield index, size, (kind >> 8) & 1 == 1


class Tally:
    def __init__(self):
        self.messages = self.texts = self.binaries = self.bytes = 0
        self.hash = FNV_OFFSET

    def add(self, data, text):
        self.messages += 1
        self.texts += text
        self.binaries += not text
        self.bytes += len(data)
        self.hash = fnv1a(bytes([text]) + len(data).to_bytes(4, "little"), self.hash)
        self.hash = fnv1a(data, self.hash)

    def result(self):
        return {"messages": self.messages, "textMessages": self.texts, "binaryMessages": self.binaries,
                "bytes": self.bytes, "hash": self.hash}


# ---- pictures: the frame number stands at the top, two rows of 16 cells, 24 bits of number and 8 of check ----


def protect(number):
    check = 0xA5
    for shift in (0, 8, 16):
        check = ((check * 31) ^ (number >> shift)) & 0xFF
    return (number << 8) | check


def cell_height(height):
    return max(4, height // 12)


def draw_number(luma, number):
    height, width = luma.shape
    tall, field = cell_height(height), protect(number)
    for cell in range(ROWS * COLUMNS):
        column, row = cell % COLUMNS, cell // COLUMNS
        left, right = -(-column * width // COLUMNS), -(-(column + 1) * width // COLUMNS)
        luma[row * tall:(row + 1) * tall, left:right] = 235 if (field >> (31 - cell)) & 1 else 16


def read_number(luma):
    height, width = luma.shape
    tall, field = cell_height(height), 0
    for cell in range(ROWS * COLUMNS):
        column, top = cell % COLUMNS, cell // COLUMNS * tall
        left, right = column * width // COLUMNS, (column + 1) * width // COLUMNS
        x, y = (right - left) >> 2, tall >> 2
        part = luma[top + y:top + tall - y, left + x:right - x]
        field = (field << 1) | (1 if part.size and part.mean() >= 126 else 0)
    number = field >> 8
    return number if protect(number) == field else None


def pattern(width, height, number):
    """A picture that moves, easy to code: a slope of brightness and a disc that wanders over it."""
    x, y = np.arange(width), np.arange(height)[:, None]
    luma = (60 + x * 100 // width + y * 40 // height).astype(np.uint8)
    centre_x = width // 2 + int(width / 4 * np.cos(number / 20))
    centre_y = height * 5 // 8 + int(height / 5 * np.sin(number / 20))
    luma[(x - centre_x) ** 2 + (y - centre_y) ** 2 < (height // 8) ** 2] = 200
    draw_number(luma, number)
    return luma


# ---- sound ----


def analyse(samples, rate):
    """Root mean square, and the strongest frequency between 50 and 4000 Hz in steps of 10 Hz."""
    if len(samples) == 0:
        return {"rms": 0.0, "peakHz": 0}
    power = np.abs(np.fft.rfft(samples, rate // 2))
    hz = np.arange(len(power)) * 2
    power[(hz < 50) | (hz > 4000)] = 0
    return {"rms": float(np.sqrt(np.mean(samples**2))), "peakHz": round(int(hz[np.argmax(power)]) / 10) * 10}
