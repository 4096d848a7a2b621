'use strict';
// RTCEncodedVideoFrame and RTCEncodedAudioFrame, on pages and in workers: nothing here needs the addon.

const rt = require('./idl.js');

class EncodedFrame {
  /// As a page does: from another one, with other metadata if it wishes.
  constructor(wrapper, original, options) {
    const from = rt.of(original);
    this.type = from.type;
    this.data = from.data.slice(0);
    this.owner = from.owner;
    this.counter = from.counter;
    this.metadata = structuredClone(from.metadata);
    Object.assign(this.metadata, options?.metadata);
  }

  get timestamp() { return this.metadata.rtpTimestamp; }
  getMetadata() { return structuredClone(this.metadata); }
}

/// What the library shows of a frame, as the specification spells it.
function metadataOf(frame, counter, sending) {
  const out = { synchronizationSource: frame.ssrc, payloadType: frame.payloadType, contributingSources: [],
    rtpTimestamp: frame.rtpTimestamp, mimeType: frame.mimeType };
  if (frame.kind === 'video') {
    Object.assign(out, { frameId: counter, dependencies: frame.keyFrame || counter === 0 ? [] : [counter - 1],
      spatialIndex: frame.spatialIndex, temporalIndex: frame.temporalIndex });
    if (frame.width > 0) Object.assign(out, { width: frame.width, height: frame.height });
  } else if (!sending) {
    out.sequenceNumber = counter & 0x7fff;
  }
  return out;
}

const names = { video: 'RTCEncodedVideoFrame', audio: 'RTCEncodedAudioFrame' };
const kindOf = (value) => Object.keys(names).find((kind) => rt.isA(value, names[kind]));

function createFrame(kind, { keyFrame, data, metadata }, owner, counter) {
  const state = Object.create(EncodedFrame.prototype);
  Object.assign(state, { data, metadata, owner, counter });
  if (kind === 'video') state.type = keyFrame ? 'key' : 'delta';
  return rt.create(names[kind], state);
}

// --- between threads -----------------------------------------------------------------------------

const mark = '@parley.frame';

/// Frames are serializable, which Node offers for none of its users' classes: they travel as plain objects.
function pack(value, seen = new Map()) {
  const kind = kindOf(value);
  if (kind) {
    const { type, data, metadata } = rt.of(value);
    return { [mark]: kind, keyFrame: type === 'key', data, metadata };
  }
  return walk(value, seen, pack);
}
function unpack(value, seen = new Map()) {
  const kind = typeof value === 'object' && value !== null ? value[mark] : undefined;
  if (kind) return createFrame(kind, value);
  return walk(value, seen, unpack);
}
function walk(value, seen, step) {
  const plain = Array.isArray(value) || (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype);
  if (!plain) return value;
  if (!seen.has(value)) {
    const out = Array.isArray(value) ? [] : {};
    seen.set(value, out);
    for (const key of Object.keys(value)) out[key] = step(value[key], seen);
  }
  return seen.get(value);
}

for (const name of Object.values(names)) rt.implement(name, EncodedFrame);

module.exports = { createFrame, kindOf, metadataOf, pack, unpack };
