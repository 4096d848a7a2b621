// Where a browser keeps what comes, until it is saved: the private file system of the page, on disk, where the browser
// gives it one (https and localhost); else pieces of Blob, which browsers move to disk as they see fit. A worker does the
// writing and the checksums.
const keyOf = ({ path, size }) => `${size}-${encodeURIComponent(path).replaceAll('.', '%2E').slice(-180)}`;

export class Store {
  #worker = new Worker('/store_worker.js', { type: 'module' });
  #waiting = new Map();
  #last = 0;
  #blobs = new Map();

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      if (data.written !== undefined) return this.onwritten?.(data.written);
      if (data.blob) this.#blobs.set(data.key, data.blob);
      this.#waiting.get(data.id)?.(data);
      this.#waiting.delete(data.id);
    };
  }

  #ask(op, more = {}) {
    return new Promise(done => {
      this.#waiting.set(++this.#last, done);
      this.#worker.postMessage({ id: this.#last, op, ...more });
    });
  }

  /// A link begins: counts of what is written start again.
  async start() {
    this.onDisk = (await this.#ask('start')).onDisk;
  }
  /// {bytes, pieces}: how much of a file there is, and checksums of its pieces; with `tail` also of a shorter last one.
  look(file, piece, tail) {
    return this.#ask('look', { key: keyOf(file), size: file.size, piece, tail });
  }
  begin(file, start) {
    return this.#ask('begin', { key: keyOf(file), start });
  }
  write(buffer) {
    this.#worker.postMessage({ op: 'write', buffer }, [buffer]);
  }
  /// {sha256, crc} or {error}.
  end(file) {
    return this.#ask('end', { key: keyOf(file) });
  }
  async crcOf(file) {
    return (await this.#ask('crc', { key: keyOf(file) })).crc;
  }
  remove(file) {
    return this.#ask('remove', { key: keyOf(file) });
  }
  /// Deletes what is no file of this transfer.
  keepOnly(files) {
    return this.#ask('keepOnly', { keys: files.map(keyOf) });
  }

  /// The content as a Blob that lies on disk if the store does.
  async blob(file) {
    const key = keyOf(file);
    if (!this.onDisk) return this.#blobs.get(key) ?? new Blob();
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('parley-send');
    return (await folder.getFileHandle(key)).getFile();
  }
}
