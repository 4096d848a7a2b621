// Sends a file over a data channel of its own: {name, size}, the content in pieces, and back comes {sha256, bytes} or
// {error}.
import { Sha256 } from './sha256.js';

const PIECE = 64 * 1024;
const HIGH_WATER = 4 * 1024 * 1024;

export function bytesText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/// `progress(ratio, bytesPerSecond)` is called as the bytes leave. Resolves to the checksum that both sides found.
export async function sendFile(pc, file, progress) {
  const channel = pc.createDataChannel('file', { protocol: 'parley-file' });
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = HIGH_WATER / 2;
  let lost;
  const closed = new Promise((_, fail) => { lost = () => fail(new Error('interrupted')); });
  closed.catch(() => {});
  channel.onclose = channel.onerror = lost;
  const once = event => Promise.race([closed, new Promise(done => { channel[`on${event}`] = done; })]);
  let answered = false;
  const answer = once('message').then(({ data }) => {
    answered = true;
    return JSON.parse(data);
  });
  answer.catch(() => {});

  await once('open');
  const began = performance.now();
  const report = sent => {
    const gone = sent - Math.min(sent, channel.bufferedAmount);
    progress(file.size ? gone / file.size : 1, gone / Math.max(0.001, (performance.now() - began) / 1000));
  };
  channel.send(JSON.stringify({ name: file.name, size: file.size }));
  const hash = new Sha256();
  for (let at = 0; at < file.size && !answered; at += PIECE) {
    const piece = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
    hash.update(piece);
    if (channel.bufferedAmount > HIGH_WATER) await once('bufferedamountlow');
    if (channel.readyState !== 'open') break;
    channel.send(piece);
    report(at + piece.length);
  }
  const timer = setInterval(() => report(file.size), 100);
  try {
    const { error, sha256 } = await answer;
    if (error) throw new Error(error);
    if (sha256 !== hash.hex()) throw new Error('the checksums differ');
    progress(1, file.size / Math.max(0.001, (performance.now() - began) / 1000));
    return sha256;
  } finally {
    clearInterval(timer);
    channel.close();
  }
}
