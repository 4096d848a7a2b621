'use strict';
// The global scope of a dedicated worker: its messages, and RTCRtpScriptTransformer. What Worker starts; a runner with
// workers of its own, over worker_threads, calls `install` in them instead.

const vm = require('node:vm');
const threads = require('node:worker_threads');
const rt = require('./idl.js');
const { interfaces, exposed } = require('../generated/interfaces.js')(rt);

rt.interfaces = interfaces;
const { pack, unpack } = require('./encoded_frames.js');
const { FrameStreams } = require('./frame_streams.js');
require('./sframe_streams.js');

class Transformer {
  constructor(port, options) {
    this.options = options;
    this.port = port;
    this.asked = new Map();
    this.keyFrames = [];
    this.streams = new FrameStreams((counter, data) => port.postMessage({ write: { counter, data } }, [data]));
    port.on('message', (message) => this.told(message));
  }
  get readable() { return this.streams.readable; }
  get writable() { return this.streams.writable; }

  told({ frame, reply, error, unset }) {
    if (frame) {
      // webrtc-encoded-transform 4.5: the promise comes before the frame.
      if (frame.keyFrame) for (const { resolve } of this.keyFrames.splice(0)) resolve(frame.metadata.rtpTimestamp);
      this.streams.read(frame);
    } else if (unset) {
      const gone = new DOMException('the transform has been taken away', 'InvalidStateError');
      for (const { reject } of this.keyFrames.splice(0)) reject(gone);
    } else {
      const { resolve, reject } = this.asked.get(reply);
      this.asked.delete(reply);
      if (error) reject(new DOMException(error.message, error.name));
      else resolve();
    }
  }
  ask(what, rid) {
    return new Promise((resolve, reject) => {
      const id = this.asked.size === 0 ? 0 : Math.max(...this.asked.keys()) + 1;
      this.asked.set(id, { resolve, reject });
      this.port.postMessage({ ask: what, rid, id });
    });
  }
  async generateKeyFrame(rid) {
    // RFC 8851, section 10: letters and digits.
    if (rid !== undefined && !/^[A-Za-z0-9]{1,255}$/.test(rid)) throw new DOMException(`'${rid}' is no rid`, 'NotAllowedError');
    const made = new Promise((resolve, reject) => { this.keyFrames.push({ resolve, reject }); });
    made.catch(() => {});
    const entry = this.keyFrames.at(-1);
    try {
      await this.ask('generateKeyFrame', rid);
    } catch (error) {
      this.keyFrames = this.keyFrames.filter((waiting) => waiting !== entry);
      throw error;
    }
    return made;
  }
  sendKeyFrameRequest() { return this.ask('sendKeyFrameRequest'); }
}

/// Makes `scope` the global of a worker that hears from its page by `port`.
function install(scope, port, { own = false } = {}) {
  for (const name of Object.keys(interfaces)) {
    if (exposed[name].includes('DedicatedWorker')) {
      Object.defineProperty(scope, name, { value: interfaces[name], writable: true, configurable: true });
    }
  }
  const target = own ? new EventTarget() : scope;
  if (own) {
    scope.self = scope;
    for (const name of ['addEventListener', 'removeEventListener', 'dispatchEvent']) scope[name] = target[name].bind(target);
    scope.postMessage = (value, transfer) => port.postMessage(pack(value), Array.isArray(transfer) ? transfer : transfer?.transfer);
    scope.close = () => process.exit();
  }
  for (const type of own ? ['message', 'messageerror', 'rtctransform'] : ['rtctransform']) {
    Object.defineProperty(scope, `on${type}`, {
      get: () => rt.getHandler(target, `on${type}`), set: (value) => rt.setHandler(target, `on${type}`, value), configurable: true,
    });
  }
  let early = own ? [] : null;
  const hear = (data) => {
    const transform = data?.['@parley.transform'];
    if (transform) {
      const transformer = rt.create('RTCRtpScriptTransformer', new Transformer(transform, data.options));
      target.dispatchEvent(rt.createEvent('RTCTransformEvent', 'rtctransform', { transformer }));
    } else if (own) {
      target.dispatchEvent(new MessageEvent('message', { data: unpack(data) }));
    }
  };
  port.on('message', (data) => {
    const script = own ? data?.['@parley.script'] : undefined;
    if (typeof script === 'string') {
      vm.runInThisContext(script, { filename: threads.workerData.url });
      const waiting = early;
      early = null;
      waiting.forEach(hear);
    } else if (early) early.push(data);
    else hear(data);
  });
}

rt.implement('RTCRtpScriptTransformer', Transformer);

if (!threads.isMainThread && threads.workerData?.parleyWorker) install(globalThis, threads.parentPort, { own: true });

module.exports = { install };
