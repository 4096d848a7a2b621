'use strict';
// SFrame as streams, of frames that come from elsewhere or of plain bytes: in pages and in workers. The addon is loaded
// with the first of them.

const { KeyObject } = require('node:crypto');
const rt = require('./idl.js');
const { kindOf } = require('./encoded_frames.js');

/// A function of the addon that needs no loop.
function plain(name) {
  return (...given) => {
    const { addon, toException } = require('./addon.js');
    try {
      return addon[name](...given);
    } catch (error) {
      throw toException(error);
    }
  };
}
const cipherCreate = plain('cipherCreate');
const cipherSetKey = plain('cipherSetKey');
const cipherRemoveKey = plain('cipherRemoveKey');
const cipherRun = plain('cipherRun');
const sframeKeyId = plain('sframeKeyId');

const most = (1n << 64n) - 1n;
function keyText(keyId) {
  const value = BigInt(keyId);
  if (value < 0n || value > most) throw new RangeError('Not a 64 bits integer');
  return String(value);
}
const keyBytes = (key) => new Uint8Array(KeyObject.from(key).export());

class SframeStream {
  constructor(wrapper, encrypt, { cipherSuite }, buffered = 0) {
    this.native = cipherCreate(encrypt, cipherSuite);
    const stream = new TransformStream({ transform: (chunk, controller) => this.pass(wrapper, chunk, controller) },
      undefined, { highWaterMark: buffered });
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
      out = cipherRun(this.native, bytes);
    } catch (error) {
      this.failed(wrapper, chunk, bytes, error, controller);
      return;
    }
    const { buffer } = new Uint8Array(out);
    if (frame) frame.data = buffer;
    controller.enqueue(frame ? chunk : buffer);
  }
  setKey(key, keyId) { cipherSetKey(this.native, keyText(keyId), keyBytes(key)); }
}

class SframeEncryptorStream extends SframeStream {
  constructor(wrapper, options) { super(wrapper, true, options); }
  async setEncryptionKey(key, keyId) { this.setKey(key, keyId); }
  failed(wrapper, chunk, bytes, error) { throw error; }
}

const errorTypes = { SyntaxError: 'syntax', InvalidAccessError: 'keyID', OperationError: 'authentication' };

// A frame that does not decrypt goes nowhere; the page hears of it.
function tellFailure(wrapper, chunk, bytes, { name }) {
  const errorType = errorTypes[name] ?? 'syntax';
  const id = errorType === 'keyID' ? sframeKeyId(bytes) : null;
  const keyID = id === null ? null : BigInt(id) <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(id) : BigInt(id);
  const event = new Event('error');
  for (const [key, value] of Object.entries({ errorType, frame: chunk, keyID })) Object.defineProperty(event, key, { value });
  wrapper.dispatchEvent(kindOf(chunk) ? new rt.interfaces.SFrameTransformErrorEvent('error', { errorType, frame: chunk, keyID }) : event);
}

class SframeDecryptorStream extends SframeStream {
  constructor(wrapper, options) { super(wrapper, false, options); }
  async addDecryptionKey(key, keyId) { this.setKey(key, keyId); }
  async removeDecryptionKey(keyId) { cipherRemoveKey(this.native, keyText(keyId)); }
  failed(wrapper, chunk, bytes, error) { tellFailure(wrapper, chunk, bytes, error); }
}

/// What both were in one before: a stream, or attached by the functions of `attaching`, where it encrypts what a sender
/// sends and decrypts what a receiver gets, whatever its role.
class SframeTransform extends SframeStream {
  static attaching = null;
  constructor(wrapper, { role }) {
    super(wrapper, role === 'encrypt', { cipherSuite: 'AES_128_CTR_HMAC_SHA256_80' }, 1);
    this.encrypts = role === 'encrypt';
    this.keys = new Map();
  }
  async setEncryptionKey(key, keyId = 0) {
    this.setKey(key, keyId);
    this.keys.set(keyText(keyId), keyBytes(key));
    if (this.end) SframeTransform.attaching.setKey(this.end, keyText(keyId), keyBytes(key));
  }
  failed(wrapper, chunk, bytes, error, controller) {
    if (this.encrypts) throw error;
    tellFailure(wrapper, chunk, bytes, error);
    if (!kindOf(chunk)) controller.enqueue(new ArrayBuffer(0));
  }
  attach(side, state) {
    const { create, setKey, attach } = SframeTransform.attaching;
    Object.assign(this, { side, state });
    this.readable.getReader();
    this.writable.getWriter();
    this.end = create(side === 'sender', 'AES_128_CTR_HMAC_SHA256_80');
    for (const [keyId, bytes] of this.keys) setKey(this.end, keyId, bytes);
    attach(side, state, this.end);
  }
  detach() { SframeTransform.attaching.attach(this.side, this.state, null); }
}

rt.implement('SFrameEncryptorStream', SframeEncryptorStream);
rt.implement('SFrameDecryptorStream', SframeDecryptorStream);
rt.implement('SFrameTransform', SframeTransform);

module.exports = { keyText, keyBytes, SframeTransform };
