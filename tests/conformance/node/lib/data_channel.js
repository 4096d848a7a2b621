'use strict';
// RTCDataChannel.

const rt = require('./idl.js');
const { native, toException, weakly } = require('./native.js');

class DataChannel {
  constructor(pc, handle) {
    this.pc = pc;
    this.native = handle;
    this.binaryType = 'arraybuffer';
    // Messages behind a Blob that is still being read, and the bytes that bufferedAmount owes them.
    this.queue = [];
    this.queuedBytes = 0;
    pc.channels.add(this);
    native.channelListen(handle, weakly(this, 'happened'));
  }

  get label() { return native.channelLabel(this.native); }
  get ordered() { return native.channelOrdered(this.native); }
  get maxPacketLifeTime() { return native.channelMaxPacketLifeTime(this.native); }
  get maxRetransmits() { return native.channelMaxRetransmits(this.native); }
  get protocol() { return native.channelProtocol(this.native); }
  get negotiated() { return native.channelNegotiated(this.native); }
  get priority() { return native.channelPriority(this.native); }
  get id() { return native.channelId(this.native); }
  get readyState() { return this.closing ? 'closing' : native.channelState(this.native); }
  get bufferedAmount() { return native.channelBufferedAmount(this.native) + this.queuedBytes; }
  get bufferedAmountLowThreshold() { return native.channelLowThreshold(this.native); }
  set bufferedAmountLowThreshold(bytes) { native.channelSetLowThreshold(this.native, bytes); }

  send(data) {
    const isBlob = typeof data === 'object' && typeof data.arrayBuffer === 'function';
    if (!isBlob && this.queue.length === 0) return this.sendNow(data);
    if (this.readyState !== 'open') throw new DOMException('the channel is not open', 'InvalidStateError');
    const size = isBlob ? data.size : typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength;
    this.checkSize(size);
    this.queuedBytes += size;
    const entry = { size, data: isBlob ? null : typeof data === 'string' ? data : this.copy(data) };
    this.queue.push(entry);
    if (isBlob) {
      data.arrayBuffer().then((bytes) => { entry.data = bytes; this.flush(); }, () => { entry.data = new ArrayBuffer(0); this.flush(); });
    }
    return undefined;
  }

  copy(data) {
    return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer : data.slice(0);
  }
  checkSize(size) {
    const limit = native.sctpMaxMessageSize(this.pc.native);
    if (limit !== null && size > limit) throw new TypeError(`the message has ${size} bytes, the peer takes ${limit}`);
  }

  sendNow(data) {
    if (typeof data === 'string') native.channelSendText(this.native, data);
    else native.channelSendBinary(this.native, ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data);
  }

  flush() {
    while (this.queue.length > 0 && this.queue[0].data !== null) {
      const { size, data } = this.queue[0];
      try {
        this.sendNow(data);
      } catch ({ name }) {
        // No room: what is under way first. Otherwise it has closed meanwhile, and nobody is told.
        if (name === 'OperationError' && native.channelState(this.native) === 'open') {
          setTimeout(() => this.flush(), 10);
          return;
        }
      }
      this.queue.shift();
      this.queuedBytes -= size;
    }
    if (this.queue.length === 0 && this.closing) {
      this.closing = false;
      native.channelClose(this.native);
    }
  }

  close() {
    // What was sent before goes out before.
    if (this.queue.length > 0 && this.readyState === 'open') this.closing = true;
    else native.channelClose(this.native);
  }

  happened(what, value) {
    const { wrapper } = this;
    if (what === 'message') {
      const data = typeof value === 'string' || this.binaryType === 'arraybuffer' ? value : new Blob([value]);
      wrapper.dispatchEvent(new MessageEvent('message', { data }));
      return;
    }
    if (what === 'close') this.pc.channels.delete(this);
    if (what === 'error') wrapper.dispatchEvent(new rt.interfaces.RTCErrorEvent('error', { error: toException(value) }));
    else wrapper.dispatchEvent(new Event(what));
  }
}

module.exports = { createChannel: (pc, handle) => rt.create('RTCDataChannel', new DataChannel(pc, handle)) };
