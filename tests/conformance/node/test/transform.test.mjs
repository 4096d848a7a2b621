// webrtc-encoded-transform: frames in workers of pages, and SFrame.
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { capture, cleanUp, connected, globals, hooks, negotiate, next, peer, trickle, until, wait } from './support.mjs';

const workers = [];
afterEach(() => {
  cleanUp();
  while (workers.length > 0) workers.pop().terminate();
});

async function startWorker() {
  const worker = new globals.Worker(new URL('./transform_worker.js', import.meta.url));
  workers.push(worker);
  assert.equal((await next(worker, 'message')).data, 'ready');
  return worker;
}
async function transformIn(worker, side) {
  const { port1, port2 } = new MessageChannel();
  const transform = new globals.RTCRtpScriptTransform(worker, { port: port2, side }, [port2]);
  transform.port = port1;
  transform.told = [];
  port1.onmessage = ({ data }) => transform.told.push(data);
  await until(() => transform.told.shift() === 'started');
  return transform;
}
async function ask(transform, call, ...given) {
  transform.told.length = 0;
  transform.port.postMessage({ call, given });
  await until(() => transform.told.some((m) => m.result || m.error));
  return transform.told.find((m) => m.result || m.error);
}

/// A call of one kind of media with a transform at each end; `seen` counts what arrives.
async function call(kind, out, into) {
  const a = peer();
  const b = peer();
  trickle(a, b);
  const stream = await capture({ [kind]: kind === 'audio' ? true : { width: 320, height: 240 } });
  const sender = a.addTrack(stream.getTracks()[0], stream);
  sender.transform = out;
  const state = { a, b, sender, receiver: null, seen: 0, loud: false };
  b.ontrack = ({ receiver, track }) => {
    state.receiver = receiver;
    receiver.transform = into;
    if (kind === 'video') hooks.videoSink(track, () => { state.seen += 1; });
    else hooks.audioSink(track, ({ data }) => { state.loud ||= data.some((sample) => Math.abs(sample) > 1000); });
  };
  await negotiate(a, b);
  await connected(a, b);
  return state;
}

test('a worker changes what is sent, another worker changes it back', async () => {
  for (const kind of ['video', 'audio']) {
    const out = await transformIn(await startWorker(), 'sender');
    const into = await transformIn(await startWorker(), 'receiver');
    const state = await call(kind, out, into);
    await until(() => (kind === 'video' ? state.seen > 5 : state.loud));
    await until(() => out.told.some((m) => m.frames) && into.told.some((m) => m.frames), 10000);
    const [sent, received] = [out, into].map((t) => t.told.find((m) => m.frames));
    assert.equal(sent.left, 0, 'what is written is transferred');
    assert.equal(sent.ssrc, received.ssrc);
    assert.equal(state.sender.transform, out);
  }
});

test('a worker asks for key frames at both ends', async () => {
  const worker = await startWorker();
  const [out, into] = [await transformIn(worker, 'sender'), await transformIn(worker, 'receiver')];
  assert.equal((await ask(out, 'generateKeyFrame')).error, 'InvalidStateError');
  const state = await call('video', out, into);
  await until(() => state.seen > 3);
  const first = await ask(out, 'generateKeyFrame');
  const second = await ask(out, 'generateKeyFrame');
  assert.equal(first.result, 'number');
  assert.ok(second.keyFrames > first.keyFrames);
  assert.equal((await ask(out, 'generateKeyFrame', '!')).error, 'NotAllowedError');
  assert.equal((await ask(out, 'generateKeyFrame', 'f')).error, 'NotFoundError');
  assert.equal((await ask(into, 'generateKeyFrame')).error, 'InvalidStateError');
  assert.equal((await ask(into, 'sendKeyFrameRequest')).result, 'undefined');
  assert.equal((await ask(out, 'sendKeyFrameRequest')).error, 'InvalidStateError');
  await state.sender.replaceTrack(null);
  assert.equal((await ask(out, 'generateKeyFrame')).error, 'InvalidStateError');
});

test('a transform belongs to one sender or receiver for good', async () => {
  const worker = await startWorker();
  const transform = new globals.RTCRtpScriptTransform(worker);
  const pc = peer();
  const [one, other] = [pc.addTransceiver('audio'), pc.addTransceiver('audio')];
  one.sender.transform = transform;
  one.sender.transform = transform;
  assert.throws(() => { other.sender.transform = transform; }, { name: 'InvalidStateError' });
  one.sender.transform = null;
  assert.equal(one.sender.transform, null);
  assert.throws(() => { one.sender.transform = transform; }, { name: 'InvalidStateError' });
  assert.throws(() => { one.sender.transform = {}; }, TypeError);
  assert.throws(() => new globals.RTCRtpScriptTransform({}), TypeError);
});

test('frames travel between threads', async () => {
  const worker = await startWorker();
  const out = await transformIn(worker, 'sender');
  await call('video', out, null);
  const message = next(worker, 'message');
  out.port.postMessage('frame');
  const { data } = await message;
  assert.ok(data.frame instanceof globals.RTCEncodedVideoFrame);
  assert.equal(data.frame.data.byteLength, data.size);
  assert.equal(data.frame.getMetadata().mimeType, 'video/VP8');
  const copy = new globals.RTCEncodedVideoFrame(data.frame, { metadata: { rtpTimestamp: 7 } });
  assert.equal(copy.getMetadata().rtpTimestamp, 7);
  assert.notEqual(copy.data, data.frame.data);
  assert.deepEqual(new Uint8Array(copy.data), new Uint8Array(data.frame.data));
});

test('SFrame hides pictures and sound from whoever has no key', async () => {
  const cipherSuite = 'AES_128_GCM_SHA256_128';
  const key = await webcrypto.subtle.importKey('raw', new Uint8Array(16).fill(7), 'HKDF', false, ['deriveBits', 'deriveKey']);
  for (const kind of ['video', 'audio']) {
    const lock = new globals.RTCRtpSFrameEncryptor({ cipherSuite });
    const unlock = new globals.RTCRtpSFrameDecryptor({ cipherSuite });
    await lock.setEncryptionKey(key, 18446744073709551615n);
    await assert.rejects(lock.setEncryptionKey(key, 18446744073709551616n), RangeError);
    const state = await call(kind, lock, unlock);
    await wait(500);
    assert.ok(state.seen === 0 && !state.loud);
    await unlock.addDecryptionKey(key, 18446744073709551615n);
    await until(() => (kind === 'video' ? state.seen > 5 : state.loud));
  }
  assert.throws(() => new globals.RTCRtpSFrameEncryptor({}), TypeError);
  assert.throws(() => new globals.RTCRtpSFrameEncryptor({ cipherSuite: 'ROT13' }), TypeError);
});

test('streams of the form of old give the frames to the page itself', async () => {
  const a = peer({ encodedInsertableStreams: true });
  const b = peer();
  trickle(a, b);
  const stream = await capture({ video: { width: 320, height: 240 } });
  const sender = a.addTrack(stream.getTracks()[0], stream);
  const { readable, writable } = sender.createEncodedStreams();
  assert.throws(() => sender.createEncodedStreams(), { name: 'InvalidStateError' });
  let seen = 0;
  b.ontrack = ({ track }) => hooks.videoSink(track, () => { seen += 1; });
  let written = 0;
  readable.pipeThrough(new TransformStream({
    transform(frame, controller) { written += 1; controller.enqueue(frame); },
  })).pipeTo(writable).catch(() => {});
  await negotiate(a, b);
  await until(() => seen > 5);
  assert.ok(written >= seen);
});

test('SFrame streams encrypt and decrypt what a page brings', async () => {
  const { SFrameEncryptorStream, SFrameDecryptorStream } = globals;
  const options = { cipherSuite: 'AES_128_GCM_SHA256_128' };
  const lock = new SFrameEncryptorStream(options);
  const open = new SFrameDecryptorStream(options);
  const key = await webcrypto.subtle.importKey('raw', new Uint8Array(16).fill(7), 'HKDF', false, ['deriveBits', 'deriveKey']);
  await lock.setEncryptionKey(key, 5);
  await open.addDecryptionKey(key, 5n);
  const into = lock.writable.getWriter();
  const between = lock.readable.getReader();
  const out = open.writable.getWriter();
  const end = open.readable.getReader();
  const errors = [];
  open.onerror = (event) => errors.push([event.errorType, event.keyID]);

  into.write(new Uint8Array([1, 2, 3]));
  const { value: sealed } = await between.read();
  assert.ok(sealed instanceof ArrayBuffer && sealed.byteLength > 3 + 16);
  out.write(sealed);
  assert.deepEqual([...new Uint8Array((await end.read()).value)], [1, 2, 3]);

  // What does not decrypt goes nowhere, and the page hears why.
  const forged = sealed.slice(0);
  new Uint8Array(forged)[forged.byteLength - 1] ^= 1;
  const opened = end.read();
  await out.write(forged);
  await open.removeDecryptionKey(5);
  await out.write(sealed);
  await out.write(new Uint8Array(0));
  await open.addDecryptionKey(key, 5);
  out.write(sealed);
  assert.equal((await opened).value.byteLength, 3);
  assert.deepEqual(errors, [['authentication', null], ['keyID', 5], ['syntax', null]]);
  end.read().catch(() => {});
  await assert.rejects(out.write({}), TypeError);
});

test('a worker opens what its page has sealed', async () => {
  const raw = new Uint8Array(16).fill(9);
  const lock = new globals.SFrameEncryptorStream({ cipherSuite: 'AES_128_GCM_SHA256_128' });
  await lock.setEncryptionKey(await webcrypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveBits', 'deriveKey']), 3);
  lock.writable.getWriter().write(new Uint8Array([4, 5, 6]));
  const { value: sealed } = await lock.readable.getReader().read();
  const worker = new globals.Worker(new URL('./sframe_worker.js', import.meta.url));
  workers.push(worker);
  worker.postMessage({ raw, keyId: 3, sealed });
  assert.deepEqual((await next(worker, 'message')).data, [4, 5, 6]);
});

test('what both SFrame streams were in one: at a sender it encrypts, at a receiver it decrypts', async () => {
  const key = await webcrypto.subtle.importKey('raw', new Uint8Array(16).fill(7), 'HKDF', false, ['deriveBits', 'deriveKey']);
  const lock = new globals.SFrameTransform();
  const open = new globals.SFrameTransform({ role: 'decrypt' });
  await lock.setEncryptionKey(key, 5);
  await open.setEncryptionKey(key, 5);
  const state = await call('video', lock, open);
  await until(() => state.seen > 5);
  assert.ok(lock.readable.locked && open.writable.locked);
  assert.throws(() => { state.b.addTransceiver('video').receiver.transform = open; }, { name: 'InvalidStateError' });

  const bytes = new globals.SFrameTransform({ role: 'decrypt' });
  const into = bytes.writable.getWriter();
  await bytes.setEncryptionKey(key);
  await into.write(new ArrayBuffer(8));
  assert.equal((await bytes.readable.getReader().read()).value.byteLength, 0);
});
