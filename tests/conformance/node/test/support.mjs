// What the tests share.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const adapter = require('../adapter.cjs');
export const { globals, mediaDevices, hooks } = adapter;

const cleanup = [];
export function peer(...configuration) {
  const pc = new globals.RTCPeerConnection(...configuration);
  cleanup.push(() => pc.close());
  return pc;
}
export async function capture(constraints) {
  const stream = await mediaDevices.getUserMedia(constraints);
  cleanup.push(() => stream.getTracks().forEach((t) => t.stop()));
  return stream;
}
/// For `afterEach`.
export function cleanUp() {
  while (cleanup.length > 0) cleanup.pop()();
}

export const next = (target, type) => new Promise((resolve) => { target.addEventListener(type, resolve, { once: true }); });
export const turn = () => new Promise((resolve) => { setTimeout(resolve, 0); });
export const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/// Passes candidates as they come.
export function trickle(a, b) {
  for (const [from, to] of [[a, b], [b, a]]) {
    from.addEventListener('icecandidate', ({ candidate }) => to.addIceCandidate(candidate).catch(() => {}));
  }
}
/// One round of offer and answer.
export async function negotiate(a, b) {
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
}
export async function until(predicate, ms = 5000) {
  const end = Date.now() + ms;
  while (!predicate()) {
    if (Date.now() > end) throw new Error('it did not come about in time');
    await wait(10);
  }
}
export async function connected(...pcs) {
  await until(() => pcs.every((pc) => pc.connectionState === 'connected'));
}
