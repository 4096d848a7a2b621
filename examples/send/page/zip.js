// A ZIP archive without compression, put together out of Blobs: their content is not read, so it stays on disk. With the
// 64-bit fields of the format (APPNOTE.TXT 4.5.3) where sizes need them.
const TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

export class Crc32 {
  #c = -1;
  update(bytes) {
    let c = this.#c;
    for (let i = 0; i < bytes.length; i++) c = TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8);
    this.#c = c;
  }
  get value() {
    return ~this.#c >>> 0;
  }
}

const MAX32 = 0xffffffff;
const MAX16 = 0xffff;

/// Numbers little-endian: [[bytes, value], ...].
function fields(list) {
  const out = new DataView(new ArrayBuffer(list.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of list) {
    if (bytes === 8) out.setBigUint64(at, BigInt(value), true);
    else if (bytes === 4) out.setUint32(at, value, true);
    else out.setUint16(at, value, true);
    at += bytes;
  }
  return out.buffer;
}

function dosTime(seconds) {
  const d = seconds ? new Date(seconds * 1000) : new Date();
  const year = Math.min(Math.max(d.getFullYear(), 1980), 2107);
  return [(d.getHours() << 11) | (d.getMinutes() << 5) | (d.getSeconds() >> 1), ((year - 1980) << 9) | ((d.getMonth() + 1) << 5) | d.getDate()];
}

/// `files`: [{path, blob, crc, modified}].
export function zipOf(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  let directoryBytes = 0;
  for (const { path, blob, crc, modified } of files) {
    const name = new TextEncoder().encode(path);
    const [time, date] = dosTime(modified);
    const { size } = blob;
    // Version 4.5 for 64-bit sizes; bit 11: names are UTF-8; method 0: stored.
    const wide = size >= MAX32;
    const extra = wide ? fields([[2, 1], [2, 16], [8, size], [8, size]]) : new ArrayBuffer(0);
    const size32 = wide ? MAX32 : size;
    parts.push(fields([[4, 0x04034b50], [2, 45], [2, 0x800], [2, 0], [2, time], [2, date], [4, crc], [4, size32], [4, size32],
      [2, name.length], [2, extra.byteLength]]), name, extra, blob);
    const far = offset >= MAX32;
    const values = [...(wide ? [[8, size], [8, size]] : []), ...(far ? [[8, offset]] : [])];
    const more = values.length ? fields([[2, 1], [2, values.length * 8], ...values]) : new ArrayBuffer(0);
    const entry = [fields([[4, 0x02014b50], [2, 0x032d], [2, 45], [2, 0x800], [2, 0], [2, time], [2, date], [4, crc], [4, size32], [4, size32],
      [2, name.length], [2, more.byteLength], [2, 0], [2, 0], [2, 0], [4, (0o100644 << 16) >>> 0], [4, far ? MAX32 : offset]]), name, more];
    directory.push(...entry);
    directoryBytes += entry.reduce((sum, part) => sum + part.byteLength, 0);
    offset += 30 + name.length + extra.byteLength + size;
  }
  const count = files.length;
  const end = [];
  if (count >= MAX16 || offset >= MAX32 || directoryBytes >= MAX32) {
    end.push(fields([[4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, directoryBytes], [8, offset]]));
    end.push(fields([[4, 0x07064b50], [4, 0], [8, offset + directoryBytes], [4, 1]]));
  }
  end.push(fields([[4, 0x06054b50], [2, 0], [2, 0], [2, Math.min(count, MAX16)], [2, Math.min(count, MAX16)],
    [4, Math.min(directoryBytes, MAX32)], [4, Math.min(offset, MAX32)], [2, 0]]));
  return new Blob([...parts, ...directory, ...end], { type: 'application/zip' });
}
