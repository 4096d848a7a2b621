// The work of store.js. Requests are done one after the other.
import { Crc32 } from './zip.js';
import { Sha256 } from './sha256.js';

const READ_BYTES = 1024 * 1024;
const BLOB_BYTES = 8 * 1024 * 1024;

/// A file in the private file system of the page.
class DiskFile {
  static async open(folder, key, create) {
    const handle = await folder.getFileHandle(key, { create });
    const out = new DiskFile();
    out.access = await handle.createSyncAccessHandle();
    return out;
  }
  get size() {
    return this.access.getSize();
  }
  read(at, length) {
    const out = new Uint8Array(length);
    return out.subarray(0, this.access.read(out, { at }));
  }
  write(bytes, at) {
    if (this.access.write(bytes, { at }) !== bytes.length) throw new Error('the browser takes no more');
  }
  truncate(size) {
    this.access.truncate(size);
  }
  close() {
    this.access.close();
  }
}

/// The same without such a file system.
class BlobFile {
  static all = new Map();
  static open(key, create) {
    if (!this.all.has(key)) {
      if (!create) throw new Error('not there');
      this.all.set(key, Object.assign(new BlobFile(), { blob: new Blob(), fresh: [], freshBytes: 0 }));
    }
    return this.all.get(key);
  }
  get size() {
    return this.blob.size + this.freshBytes;
  }
  async read(at, length) {
    this.settle();
    return new Uint8Array(await this.blob.slice(at, at + length).arrayBuffer());
  }
  write(bytes) {
    this.fresh.push(bytes);
    this.freshBytes += bytes.length;
    if (this.freshBytes >= BLOB_BYTES) this.settle();
  }
  settle() {
    this.blob = new Blob([this.blob, ...this.fresh]);
    this.fresh = [];
    this.freshBytes = 0;
  }
  truncate(size) {
    this.settle();
    this.blob = this.blob.slice(0, size);
  }
  close() {
    this.settle();
  }
}

let folder = null;
let current = null; // {file, at, hash, crc, error}
let written = 0;
const looked = new Map(); // key -> {bytes, hash, crc} of what look() has read

async function disk() {
  try {
    const root = await navigator.storage.getDirectory();
    const found = await root.getDirectoryHandle('parley-send', { create: true });
    if (typeof FileSystemFileHandle.prototype.createSyncAccessHandle !== 'function') return null;
    return found;
  } catch {
    return null;
  }
}
const open = (key, create) => (folder ? DiskFile.open(folder, key, create) : BlobFile.open(key, create));

function closeCurrent() {
  try {
    current?.file?.close();
  } catch {
    // It was closed when it failed.
  }
  current = null;
}

/// Adds the bytes from `from` to `to` to checksums.
async function scan(file, from, to, sums) {
  for (let at = from; at < to; at += READ_BYTES) {
    const bytes = await file.read(at, Math.min(READ_BYTES, to - at));
    for (const sum of sums) sum.update(bytes);
  }
}

const operations = {
  async start() {
    closeCurrent();
    written = 0;
    folder ??= await disk();
    return { onDisk: Boolean(folder) };
  },

  async look({ key, size, piece, tail }) {
    const out = { bytes: 0, pieces: [] };
    let hash = new Sha256();
    let crc = new Crc32();
    looked.delete(key);
    let file;
    try {
      file = await open(key, false);
    } catch {
      return out;
    }
    try {
      const end = Math.min(size, file.size);
      while (out.bytes < end && (tail && end === size || end - out.bytes >= piece)) {
        const to = Math.min(end, out.bytes + piece);
        const one = new Sha256();
        await scan(file, out.bytes, to, [one, hash, crc]);
        out.pieces.push(one.hex());
        out.bytes = to;
      }
      looked.set(key, { bytes: out.bytes, hash, crc });
    } finally {
      file.close();
    }
    return out;
  },

  async begin({ key, start }) {
    closeCurrent();
    current = { key, at: start, hash: new Sha256(), crc: new Crc32() };
    try {
      current.file = await open(key, true);
      current.file.truncate(start);
      const before = looked.get(key);
      looked.delete(key);
      if (before?.bytes === start) Object.assign(current, { hash: before.hash, crc: before.crc });
      else await scan(current.file, 0, start, [current.hash, current.crc]);
    } catch (error) {
      current.error = String(error.message || error);
    }
    return {};
  },

  write({ buffer }) {
    const bytes = new Uint8Array(buffer);
    written += bytes.length;
    if (current && !current.error) {
      try {
        current.file.write(bytes, current.at);
        current.hash.update(bytes);
        current.crc.update(bytes);
        current.at += bytes.length;
      } catch (error) {
        current.error = error.name === 'QuotaExceededError' ? 'the browser gives no more room' : String(error.message || error);
      }
    }
    postMessage({ written });
  },

  async end({ key }) {
    const ended = current;
    closeCurrent();
    if (!ended) return { error: 'there is no such file' };
    if (ended.error) return { error: ended.error };
    const blob = folder ? undefined : BlobFile.open(key, true).blob;
    return { key, blob, sha256: ended.hash.hex(), crc: ended.crc.value };
  },

  async crc({ key }) {
    return { key, blob: folder ? undefined : BlobFile.open(key, true).blob, crc: looked.get(key)?.crc.value ?? 0 };
  },

  async remove({ key }) {
    looked.delete(key);
    BlobFile.all.delete(key);
    await folder?.removeEntry(key).catch(() => {});
    return {};
  },

  async keepOnly({ keys }) {
    const wanted = new Set(keys);
    if (!folder) return {};
    const names = [];
    for await (const name of folder.keys()) names.push(name);
    for (const name of names) if (!wanted.has(name)) await folder.removeEntry(name).catch(() => {});
    return {};
  },
};

let last = Promise.resolve();
onmessage = ({ data }) => {
  last = last.then(async () => {
    let result;
    try {
      result = await operations[data.op](data);
    } catch (error) {
      result = { error: String(error.message || error) };
    }
    if (data.id) postMessage({ ...result, id: data.id });
  });
};
