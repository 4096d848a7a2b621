// The sending side in a browser: source.cc tells how it works.
import { MESSAGE_BYTES, pieceSize, WINDOW_BYTES } from './protocol.js';
import { Sha256 } from './sha256.js';

const READ_BYTES = 1024 * 1024;
const LIST_ENTRIES = 200;

export class Source {
  /// `files`: [{path, file}]. `on.settled(index)` after each of them, `on.progress()` now and then.
  constructor(files, on) {
    this.files = files.map(({ path, file }) => ({ path, file, size: file.size, at: 0, state: 'waiting' }));
    this.on = on;
    this.bytes = this.files.reduce((sum, f) => sum + f.size, 0);
    this.total = this.skipped = 0;
  }

  get settled() {
    return this.files.every(f => f.state === 'done' || f.state === 'failed');
  }

  /// Whether it is done; if not, the link was lost.
  async run(link) {
    Object.assign(this, { link, requests: [], current: null, sent: 0, acked: 0, bye: false });
    const entries = this.files.map(({ path, file, size }) => ({ path, size, modified: Math.floor(file.lastModified / 1000) }));
    for (let at = 0; at < entries.length; at += LIST_ENTRIES) link.send({ t: 'list', entries: entries.slice(at, at + LIST_ENTRIES) });
    link.send({ t: 'list', entries: [], last: true });
    for (;;) {
      for (let message = link.next(); message; message = link.next()) this.#handle(message);
      if (this.bye || (link.lost && this.settled)) break;
      if (link.lost) return false;
      if (!this.current && this.requests.length) await this.#begin(this.requests.shift());
      else if (this.current && this.sent - this.acked < WINDOW_BYTES && link.hasRoom) await this.#content();
      else await link.happens();
    }
    link.send({ t: 'bye' });
    const end = performance.now() + 3000;
    while (!link.lost && performance.now() < end) await Promise.race([link.happens(), new Promise(done => setTimeout(done, 200))]);
    link.close();
    return true;
  }

  #handle(message) {
    const file = this.files[message.file];
    if (message.t === 'want' || message.t === 'check') this.requests.push(message);
    if (message.t === 'bye') this.bye = true;
    if (message.t === 'drop' && this.current?.index === message.file) this.#skip(message.file, 'the receiver cannot take it');
    if (message.t === 'done' || message.t === 'failed') {
      file.state = message.t;
      file.sha256 ||= message.sha256;
      file.there = message.there;
      file.error = message.error;
      this.on.settled(message.file);
    }
    if (message.t === 'ack') {
      this.acked = Math.min(this.sent, message.bytes);
      this.total = message.total;
      this.skipped = message.skipped;
      this.on.progress();
    }
  }

  async #begin({ t, file: index, pieces = [] }) {
    const { file, size } = this.files[index];
    const hash = new Sha256();
    let same = 0;
    let state = hash;
    try {
      for (const theirs of pieces) {
        const end = Math.min(size, same + pieceSize(size));
        const piece = new Sha256();
        const ahead = state.copy();
        for (let at = same; at < end; at += READ_BYTES) {
          const bytes = new Uint8Array(await file.slice(at, Math.min(end, at + READ_BYTES)).arrayBuffer());
          piece.update(bytes);
          ahead.update(bytes);
        }
        if (piece.hex() !== theirs) break;
        state = ahead;
        same = end;
      }
    } catch {
      return this.#skip(index, 'the sender cannot read it');
    }
    if (t === 'check') {
      this.link.send({ t: 'checked', file: index, same: same === size, sha256: state.copy().hex() });
      return;
    }
    this.current = { index, at: same, hash: state };
    Object.assign(this.files[index], { at: same, state: 'moving' });
    this.link.send({ t: 'file', file: index, start: same });
    if (same === size) this.#end();
  }

  async #content() {
    const { current } = this;
    const entry = this.files[current.index];
    let bytes;
    try {
      bytes = new Uint8Array(await entry.file.slice(current.at, current.at + READ_BYTES).arrayBuffer());
    } catch {
      return this.#skip(current.index, 'the sender cannot read it');
    }
    if (this.current !== current || this.link.lost) return;
    for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) this.link.send(bytes.subarray(at, at + MESSAGE_BYTES));
    current.hash.update(bytes);
    current.at += bytes.length;
    this.sent += bytes.length;
    entry.at = current.at;
    if (current.at === entry.size) this.#end();
  }

  #end() {
    const { index, hash } = this.current;
    this.current = null;
    this.files[index].sha256 = hash.hex();
    this.link.send({ t: 'end', file: index, sha256: this.files[index].sha256 });
  }

  #skip(index, error) {
    if (this.current?.index === index) this.current = null;
    this.link.send({ t: 'skip', file: index, error });
  }
}
