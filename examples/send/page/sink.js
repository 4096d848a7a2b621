// The receiving side in a browser: sink.cc tells how it works.
import { ACK_BYTES, ACK_MS, pieceSize, REQUESTS_AHEAD } from './protocol.js';

/// Without parts that lead elsewhere: archives and the browser's download folder take paths as they are.
function safePath(path) {
  return path.split('/').filter(part => part && part !== '.' && part !== '..').join('/') || 'file';
}

export class Sink {
  /// `on.listed()` when it is known what there is, `on.settled(index)` after each file, `on.progress()` now and then.
  constructor(store, on) {
    Object.assign(this, { store, on, files: [], bytes: 0, total: 0, skipped: 0 });
    this.approved = new Promise(done => { this.approve = () => { this.wanted = true; done(); this.link?.wake(); }; });
  }

  /// Whether it is done; if not, the link was lost.
  async run(link) {
    Object.assign(this, { link, list: [], outstanding: [], current: null, next: 0, got: 0, written: 0, acked: 0, ackedAt: 0, bye: false });
    this.store.onwritten = bytes => {
      this.written = bytes;
      this.#acknowledge(false);
    };
    await this.store.start();
    for (;;) {
      for (let message = link.next(); message !== undefined; message = link.next()) await this.#handle(message);
      if (this.listed && this.wanted) {
        await this.#ask();
        if (this.next === this.files.length && !this.outstanding.length && !this.current) break;
      }
      if (link.lost) return false;
      if (!link.inbox.length) await link.happens();
    }
    this.#acknowledge(true);
    link.send({ t: 'bye', failed: this.files.filter(f => f.state !== 'done').length });
    const end = performance.now() + 5000;
    while (!this.bye && !link.lost && performance.now() < end) {
      await Promise.race([link.happens(), new Promise(done => setTimeout(done, 200))]);
      for (let message = link.next(); message !== undefined; message = link.next()) await this.#handle(message);
    }
    link.close();
    return true;
  }

  async #handle(message) {
    if (message instanceof ArrayBuffer) return this.#content(message);
    if (message.t === 'list') return this.#list(message);
    if (message.t === 'file') return this.#file(message);
    if (message.t === 'end') return this.#end(message);
    if (message.t === 'skip') return this.#skip(message);
    if (message.t === 'checked') return this.#checked(message);
    if (message.t === 'bye') this.bye = true;
  }

  async #list({ entries, last }) {
    this.list.push(...entries);
    if (!last) return;
    const before = new Map(this.files.map(f => [f.path, f]));
    // Folders without files cannot be saved one by one; they only keep their numbers.
    this.files = this.list.map(entry => {
      if (entry.folder) return { folder: true, state: 'done', size: 0 };
      entry.path = safePath(entry.path);
      const old = before.get(entry.path);
      return old?.state === 'done' && old.size === entry.size ? old : { ...entry, at: 0, state: 'waiting' };
    });
    this.bytes = this.files.reduce((sum, f) => sum + f.size, 0);
    this.total = this.skipped = 0;
    for (const [index, f] of this.files.entries()) {
      if (f.folder) this.link.send({ t: 'done', file: index });
      else if (f.state === 'done') {
        this.total += f.size;
        this.skipped += f.size;
        this.link.send({ t: 'done', file: index, sha256: f.sha256 });
      }
    }
    this.finished = this.total;
    await this.store.keepOnly(this.files.filter(f => !f.folder));
    this.listed = true;
    this.on.listed();
  }

  async #ask() {
    while (this.next < this.files.length && this.outstanding.length < REQUESTS_AHEAD && !this.link.lost && !this.link.inbox.length) {
      const index = this.next++;
      if (this.files[index].state === 'waiting' || this.files[index].state === 'moving') await this.#want(index, true);
    }
  }

  async #want(index, mayCheck) {
    const file = this.files[index];
    const there = await this.store.look(file, pieceSize(file.size), mayCheck);
    const check = mayCheck && file.size > 0 && there.bytes === file.size;
    this.link.send({ t: check ? 'check' : 'want', file: index, pieces: there.pieces });
    this.outstanding.push({ index, check, have: there.bytes });
  }

  async #checked({ file: index, same, sha256 }) {
    this.outstanding.shift();
    const file = this.files[index];
    if (!same) {
      await this.store.remove(file);
      return this.#want(index, false);
    }
    file.there = true;
    this.skipped += file.size;
    file.crc = await this.store.crcOf(file);
    this.#done(index, sha256);
  }

  async #file({ file: index, start }) {
    this.outstanding.shift();
    const file = this.files[index];
    this.current = { index, at: start };
    Object.assign(file, { at: start, resumed: start, state: 'moving' });
    this.skipped += start;
    await this.store.begin(file, start);
    this.on.progress();
  }

  #content(buffer) {
    const file = this.files[this.current.index];
    this.current.at += buffer.byteLength;
    this.got += buffer.byteLength;
    file.at = this.current.at;
    this.store.write(buffer);
  }

  async #end({ file: index, sha256 }) {
    const file = this.files[index];
    this.current = null;
    const stored = await this.store.end(file);
    if (stored.error) return this.#failed(index, stored.error);
    if (stored.sha256 !== sha256) {
      await this.store.remove(file);
      file.attempts = (file.attempts ?? 0) + 1;
      return file.attempts < 2 ? this.#want(index, false) : this.#failed(index, 'its checksum is wrong');
    }
    file.crc = stored.crc;
    this.#done(index, sha256);
  }

  async #skip({ file: index, error }) {
    if (this.current?.index === index) {
      this.current = null;
      await this.store.end(this.files[index]);
    } else {
      this.outstanding.shift();
    }
    this.#failed(index, error);
  }

  #done(index, sha256) {
    const file = this.files[index];
    Object.assign(file, { state: 'done', sha256, at: file.size });
    this.finished += file.size;
    this.link.send({ t: 'done', file: index, sha256, there: Boolean(file.there) });
    this.on.settled(index);
  }

  #failed(index, error) {
    Object.assign(this.files[index], { state: 'failed', error });
    this.link.send({ t: 'failed', file: index, error });
    this.on.settled(index);
  }

  #acknowledge(now) {
    const time = performance.now();
    this.total = this.finished + (this.current?.at ?? 0);
    if (!now && this.written - this.acked < ACK_BYTES && time - this.ackedAt < ACK_MS) return;
    this.ackedAt = time;
    this.acked = this.written;
    const files = this.files.filter(f => f.state === 'done' && !f.folder).length;
    this.link.send({ t: 'ack', bytes: this.written, total: this.total, files, skipped: this.skipped });
    this.on.progress();
  }
}
