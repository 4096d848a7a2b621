'use strict';
// The `readable` and `writable` of a transformer (webrtc-encoded-transform 4): frames that a sender or a receiver hands
// out, and their way back. On pages and in workers.

const rt = require('./idl.js');
const { createFrame, kindOf } = require('./encoded_frames.js');

class FrameStreams {
  /// `write(counter, data)` gives a frame back.
  constructor(write) {
    this.lastWritten = -1;
    this.kind = null;
    this.readable = new ReadableStream({ start: (controller) => { this.controller = controller; } });
    this.writable = new WritableStream({
      write: (chunk) => {
        const kind = kindOf(chunk);
        if (!kind || (this.kind && kind !== this.kind)) throw new TypeError('what is written is no frame of this kind');
        const frame = rt.of(chunk);
        // Of another transformer, or a second time: it goes nowhere.
        if (frame.owner !== this || frame.counter <= this.lastWritten) return;
        this.lastWritten = frame.counter;
        write(frame.counter, frame.data);
        // The bytes have gone, as if transferred, and what was said about them.
        if (frame.data.byteLength > 0) structuredClone(frame.data, { transfer: [frame.data] });
        frame.metadata = {};
      },
    });
  }

  read({ kind, keyFrame, data, metadata, counter }) {
    this.kind = kind;
    this.controller.enqueue(createFrame(kind, { keyFrame, data, metadata }, this, counter));
  }
}

module.exports = { FrameStreams };
