// What test peers send, and how the receiver recognises it. The same rules, in words, stand in README.md; the page, the
// runner and the native peer follow them, so that hashes and pictures can be compared across programs.

const FNV_OFFSET = 2166136261;
const FNV_PRIME = 16777619;

export function fnv1a(bytes, hash = FNV_OFFSET) {
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], FNV_PRIME);
  return hash >>> 0;
}

/// The payload of message `index`: bytes, or for text printable ASCII.
export function payload(size, index, text) {
  const bytes = new Uint8Array(size);
  for (let j = 0; j < size; j++) {
    const value = j * 31 + index * 7;
    bytes[j] = text ? 32 + (value % 95) : value & 255;
  }
  return bytes;
}

/// `count` messages from 0 to `max` bytes, spread evenly over the powers of two; the extremes come every 50 messages.
export function* messagePlan({ seed = 1, count = 1000, max = 262144 }) {
  let state = seed >>> 0 || 1;
  const next = () => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state;
  };
  for (let index = 0; index < count; index++) {
    const kind = next();
    const power = 2 ** (next() % 19);
    let size = Math.min(max, power - 1 + (next() % power));
    if (index % 50 === 0) size = 0;
    if (index % 50 === 1) size = max;
    yield { index, size, text: ((kind >>> 8) & 1) === 1 };
  }
}

/// Counts messages and hashes them: per message its kind (1 text, 0 binary), its size as 4 bytes little-endian, its bytes.
export class Tally {
  messages = 0;
  textMessages = 0;
  binaryMessages = 0;
  bytes = 0;
  hash = FNV_OFFSET;

  add(bytes, text) {
    this.messages++;
    if (text) this.textMessages++;
    else this.binaryMessages++;
    this.bytes += bytes.length;
    const size = bytes.length;
    this.hash = fnv1a([text ? 1 : 0, size & 255, (size >>> 8) & 255, (size >>> 16) & 255, size >>> 24], this.hash);
    this.hash = fnv1a(bytes, this.hash);
  }

  result() {
    const { messages, textMessages, binaryMessages, bytes, hash } = this;
    return { messages, textMessages, binaryMessages, bytes, hash };
  }
}

// ---- pictures -----------------------------------------------------------------------------------
// The frame number stands at the top of the picture as two rows of 16 black or white cells: 24 bits of number, 8 of check.

const COLUMNS = 16;
const ROWS = 2;
const cellHeight = height => Math.max(4, Math.floor(height / 12));

function protect(number) {
  let check = 0xa5;
  for (let shift = 0; shift < 24; shift += 8) check = ((check * 31) ^ (number >>> shift)) & 0xff;
  return ((number << 8) | check) >>> 0;
}

export function drawNumber(context, width, height, number) {
  const field = protect(number);
  const tall = cellHeight(height);
  for (let cell = 0; cell < ROWS * COLUMNS; cell++) {
    const left = Math.ceil(((cell % COLUMNS) * width) / COLUMNS);
    const right = Math.ceil((((cell % COLUMNS) + 1) * width) / COLUMNS);
    context.fillStyle = (field >>> (31 - cell)) & 1 ? '#fff' : '#000';
    context.fillRect(left, Math.floor(cell / COLUMNS) * tall, right - left, tall);
  }
}

/// The frame number of a luma plane, or null if none is readable.
export function readNumber(luma, width, height) {
  const tall = cellHeight(height);
  let field = 0;
  for (let cell = 0; cell < ROWS * COLUMNS; cell++) {
    const left = Math.floor(((cell % COLUMNS) * width) / COLUMNS);
    const right = Math.floor((((cell % COLUMNS) + 1) * width) / COLUMNS);
    const top = Math.floor(cell / COLUMNS) * tall;
    const marginX = (right - left) >> 2;
    const marginY = tall >> 2;
    let sum = 0;
    let count = 0;
    for (let y = top + marginY; y < top + tall - marginY; y++) {
      for (let x = left + marginX; x < right - marginX; x++, count++) sum += luma[y * width + x];
    }
    field = ((field << 1) | (count && sum / count >= 126 ? 1 : 0)) >>> 0;
  }
  const number = field >>> 8;
  return protect(number) === field ? number : null;
}

/// Luma (BT.601, 16 to 235) of RGBA pixels.
export function lumaOf(rgba) {
  const luma = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < luma.length; i++) {
    luma[i] = 16.5 + (65.738 * rgba[i * 4] + 129.057 * rgba[i * 4 + 1] + 25.064 * rgba[i * 4 + 2]) / 256;
  }
  return luma;
}

/// Peak signal-to-noise ratio of two luma planes in decibel; 99 if they are equal.
export function psnrDb(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum ? Math.min(99, 10 * Math.log10((255 * 255 * a.length) / sum)) : 99;
}

/// Video range (16 to 235) stretched to full range (0 to 255).
export function fullRange(luma) {
  return luma.map(value => Math.min(255, Math.max(0, ((value - 16) * 255) / 219 + 0.5)));
}

// ---- sound --------------------------------------------------------------------------------------

/// Root mean square, and the strongest frequency between 50 and 4000 Hz in steps of 10 Hz (Goertzel).
export function analyse(samples, rate) {
  let energy = 0;
  for (const s of samples) energy += s * s;
  let peakHz = 0;
  let best = -1;
  for (let hz = 50; hz <= 4000; hz += 10) {
    const factor = 2 * Math.cos((2 * Math.PI * hz) / rate);
    let s1 = 0;
    let s2 = 0;
    for (const s of samples) {
      const s0 = s + factor * s1 - s2;
      s2 = s1;
      s1 = s0;
    }
    const power = s1 * s1 + s2 * s2 - factor * s1 * s2;
    if (power > best) {
      best = power;
      peakHz = hz;
    }
  }
  return { rms: samples.length ? Math.sqrt(energy / samples.length) : 0, peakHz };
}

export function toBase64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}

/// Calls `set(i, level)` for `count` blocks of picture `number`: levels 104 to 135.
export function noiseLevels(number, count, set) {
  let state = ((number + 1) * 0x9e3779b1) >>> 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    set(i, 104 + ((state >>> 8) & 31));
  }
}
