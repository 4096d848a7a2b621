'use strict';
// RTCRtpScriptTransform, the SFrame transforms, and createEncodedStreams: what pages put between codec and packets.
// SFrame as streams: sframe_streams.js.

const { MessageChannel } = require('node:worker_threads');
const rt = require('./idl.js');
const { native, deliver } = require('./native.js');
const { metadataOf } = require('./encoded_frames.js');
const { FrameStreams } = require('./frame_streams.js');
const { keyText, keyBytes, SframeTransform } = require('./sframe_streams.js');

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
    // A lone encoding keeps its rid, but its stream has none.
    if (rid !== undefined && !(encodings.length > 1 && encodings.some((encoding) => encoding.rid === rid))) refuse('NotFoundError', `there is no encoding '${rid}'`);
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

SframeTransform.attaching = {
  create: (encrypt, suite) => native.sframeCreate(encrypt, suite),
  setKey: (end, keyId, key) => native.sframeSetKey(end, keyId, key),
  attach(side, state, end) {
    try {
      native[`${side}Sframe`](state.pc.native, state.id, end);
    } catch (error) {
      if (end) throw error; // else the transceiver has stopped
    }
  },
};

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

module.exports = { transformable };
