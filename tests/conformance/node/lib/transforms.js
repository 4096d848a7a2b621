'use strict';
// RTCRtpScriptTransform, the SFrame transforms, and createEncodedStreams: what pages put between codec and packets.

const { KeyObject } = require('node:crypto');
const { MessageChannel } = require('node:worker_threads');
const rt = require('./idl.js');
const { native, deliver } = require('./native.js');
const { metadataOf, kindOf } = require('./encoded_frames.js');
const { FrameStreams } = require('./frame_streams.js');

// Frames that are out with a page, oldest first; those that it never writes back are forgotten.
const maxOut = 1000;

/// Hands the frames of one sender or receiver to `read`, and takes them back by their number.
class FramePump {
  constructor(side, state, read) {
    Object.assign(this, { side, state, out: new Map(), counter: 0 });
    native[`${side}Read`](state.pc.native, state.id, (frame, writer) => deliver(() => {
      const counter = this.counter++;
      this.out.set(counter, writer);
      if (this.out.size > maxOut) this.out.delete(this.out.keys().next().value);
      const { kind, keyFrame, data } = frame;
      read({ kind, keyFrame, data, counter, metadata: metadataOf(frame, counter, side === 'sender') });
    }));
  }

  write(counter, data) {
    const writer = this.out.get(counter);
    for (const older of this.out.keys()) {
      if (older > counter) break;
      this.out.delete(older);
    }
    if (writer) native.writeFrame(writer, data);
  }

  stop() {
    try {
      native[`${this.side}Read`](this.state.pc.native, this.state.id, null);
    } catch { /* the transceiver has stopped: no frames any more */ }
  }
}

const refuse = (name, message) => { throw new DOMException(message, name); };

// --- RTCRtpScriptTransform -----------------------------------------------------------------------

class ScriptTransform {
  constructor(wrapper, target, options, transfer = []) {
    const worker = typeof target.postMessage === 'function' ? target : target.worker;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.on('message', (message) => this.told(message));
    port1.unref();
    worker.postMessage({ '@parley.transform': port2, options }, [port2, ...transfer]);
  }

  attach(side, state) {
    this.side = side;
    this.state = state;
    this.pump = new FramePump(side, state, (frame) => this.port.postMessage({ frame }, [frame.data]));
  }
  detach() {
    this.pump.stop();
    this.pump = null;
    this.port.postMessage({ unset: true });
  }

  told({ write, ask, rid, id }) {
    if (write) {
      this.pump?.write(write.counter, write.data);
      return;
    }
    let error = null;
    try { this[ask](rid); } catch ({ name, message }) { error = { name, message }; }
    this.port.postMessage({ reply: id, error });
  }

  able(side) {
    const { state } = this;
    if (!this.pump || this.side !== side || native.kind(state.pc.native, state.id) !== 'video') {
      refuse('InvalidStateError', `the transform belongs to no ${side} of pictures`);
    }
    if (state.pc.closed || native.stopped(state.pc.native, state.id) || native.direction(state.pc.native, state.id) === 'stopped') {
      refuse('InvalidStateError', 'the transceiver has stopped');
    }
  }
  generateKeyFrame(rid) {
    this.able('sender');
    const { pc, id, track } = this.state;
    const { encodings } = native.senderParameters(pc.native, id);
    if (rid !== undefined && !encodings.some((encoding) => encoding.rid === rid)) refuse('NotFoundError', `there is no encoding '${rid}'`);
    const direction = native.currentDirection(pc.native, id);
    if (!track || (direction !== 'sendrecv' && direction !== 'sendonly')) refuse('InvalidStateError', 'nothing is being sent');
    const first = rid ?? encodings[0]?.rid; // without a rid: of the first encoding
    native.generateKeyFrame(pc.native, id, first ? [first] : []);
  }
  sendKeyFrameRequest() {
    this.able('receiver');
    native.requestKeyFrame(this.state.pc.native, this.state.id);
  }
}

// --- SFrame --------------------------------------------------------------------------------------

const most = (1n << 64n) - 1n;
function keyText(keyId) {
  const value = BigInt(keyId);
  if (value < 0n || value > most) throw new RangeError('Not a 64 bits integer');
  return String(value);
}
const keyBytes = (key) => new Uint8Array(KeyObject.from(key).export());

class SframeEnd {
  constructor(encrypt, { cipherSuite }) {
    this.native = native.sframeCreate(encrypt, cipherSuite);
  }
  attach(side, state) {
    this.side = side;
    this.state = state;
    native[`${side}Sframe`](state.pc.native, state.id, this.native);
  }
  detach() {
    try {
      native[`${this.side}Sframe`](this.state.pc.native, this.state.id, null);
    } catch { /* the transceiver has stopped */ }
  }
}

class SframeEncryptor extends SframeEnd {
  constructor(wrapper, options) {
    super(true, options);
    if (options.type === 'per-packet') refuse('NotSupportedError', 'SFrame works on frames here, not on packets');
  }
  async setEncryptionKey(key, keyId) { native.sframeSetKey(this.native, keyText(keyId), keyBytes(key)); }
}

class SframeDecryptor extends SframeEnd {
  constructor(wrapper, options) {
    super(false, options);
  }
  async addDecryptionKey(key, keyId) { native.sframeSetKey(this.native, keyText(keyId), keyBytes(key)); }
  async removeDecryptionKey(keyId) { native.sframeRemoveKey(this.native, keyText(keyId)); }
}

/// The same as a stream, of frames that come from elsewhere, or of plain bytes.
class SframeStream {
  constructor(wrapper, encrypt, { cipherSuite }) {
    this.native = native.cipherCreate(encrypt, cipherSuite);
    const stream = new TransformStream({ transform: (chunk, controller) => this.pass(wrapper, chunk, controller) });
    this.readable = stream.readable;
    this.writable = stream.writable;
  }
  pass(wrapper, chunk, controller) {
    const frame = kindOf(chunk) ? rt.of(chunk) : null;
    const view = ArrayBuffer.isView(chunk);
    if (!frame && !view && !(chunk instanceof ArrayBuffer)) throw new TypeError('what is written is neither a frame nor bytes');
    const bytes = view ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : new Uint8Array(frame ? frame.data : chunk);
    let out;
    try {
      out = native.cipherRun(this.native, bytes);
    } catch (error) {
      this.failed(wrapper, chunk, bytes, error);
      return;
    }
    const { buffer } = new Uint8Array(out);
    if (frame) frame.data = buffer;
    controller.enqueue(frame ? chunk : buffer);
  }
}

class SframeEncryptorStream extends SframeStream {
  constructor(wrapper, options) { super(wrapper, true, options); }
  async setEncryptionKey(key, keyId) { native.cipherSetKey(this.native, keyText(keyId), keyBytes(key)); }
  failed(wrapper, chunk, bytes, error) { throw error; }
}

const errorTypes = { SyntaxError: 'syntax', InvalidAccessError: 'keyID', OperationError: 'authentication' };

class SframeDecryptorStream extends SframeStream {
  constructor(wrapper, options) { super(wrapper, false, options); }
  async addDecryptionKey(key, keyId) { native.cipherSetKey(this.native, keyText(keyId), keyBytes(key)); }
  async removeDecryptionKey(keyId) { native.cipherRemoveKey(this.native, keyText(keyId)); }
  // A frame that does not decrypt goes nowhere; the page hears of it.
  failed(wrapper, chunk, bytes, { name }) {
    const errorType = errorTypes[name] ?? 'syntax';
    const id = errorType === 'keyID' ? native.sframeKeyId(bytes) : null;
    const keyID = id === null ? null : BigInt(id) <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(id) : BigInt(id);
    const event = new Event('error');
    for (const [key, value] of Object.entries({ errorType, frame: chunk, keyID })) Object.defineProperty(event, key, { value });
    wrapper.dispatchEvent(kindOf(chunk) ? new rt.interfaces.SFrameTransformErrorEvent('error', { errorType, frame: chunk, keyID }) : event);
  }
}

// --- on senders and receivers --------------------------------------------------------------------

/// Gives a class its `transform` and `createEncodedStreams`; `side` is sender or receiver.
function transformable(cls, side) {
  Object.defineProperty(cls.prototype, 'transform', {
    get() { return this.transformer ?? null; },
    set(wrapper) {
      const next = wrapper && rt.of(wrapper);
      const before = this.transformer && rt.of(this.transformer);
      if (next === before) return;
      if (next?.state) refuse('InvalidStateError', 'the transform has been used already');
      before?.detach();
      this.transformer = wrapper;
      next?.attach(side, this);
    },
  });
  // The form of old, which pages ask for by encodedInsertableStreams.
  cls.prototype.createEncodedStreams = function createEncodedStreams() {
    if (this.encodedStreams) refuse('InvalidStateError', 'the streams have been created already');
    const streams = new FrameStreams((counter, data) => this.pump.write(counter, data));
    this.pump = new FramePump(side, this, (frame) => streams.read(frame));
    this.encodedStreams = { readable: streams.readable, writable: streams.writable };
    return this.encodedStreams;
  };
}

rt.implement('RTCRtpScriptTransform', ScriptTransform);
rt.implement('RTCRtpSFrameEncryptor', SframeEncryptor);
rt.implement('RTCRtpSFrameDecryptor', SframeDecryptor);
rt.implement('SFrameEncryptorStream', SframeEncryptorStream);
rt.implement('SFrameDecryptorStream', SframeDecryptorStream);

module.exports = { transformable };
