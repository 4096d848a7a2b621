// Data channels and transports.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { cleanUp, connected, globals, negotiate, next, peer, trickle, until, wait } from './support.mjs';

afterEach(cleanUp);
const named = (name) => (error) => error.name === name;

async function channels(options = {}) {
  const a = peer();
  const b = peer();
  trickle(a, b);
  const near = a.createDataChannel('x', options);
  const incoming = next(b, 'datachannel');
  await negotiate(a, b);
  const { channel: far } = await incoming;
  if (near.readyState !== 'open') await next(near, 'open');
  return { a, b, near, far };
}

// Behaviour 10.
test('a channel\'s options are checked and kept', () => {
  const pc = peer();
  const channel = pc.createDataChannel('', { ordered: false, maxRetransmits: 3, protocol: 'p', priority: 'high' });
  assert.deepEqual([channel.label, channel.ordered, channel.maxRetransmits, channel.maxPacketLifeTime, channel.protocol, channel.priority, channel.id,
    channel.readyState, channel.binaryType], ['', false, 3, null, 'p', 'high', null, 'connecting', 'arraybuffer']);
  assert.throws(() => pc.createDataChannel(), TypeError);
  assert.throws(() => pc.createDataChannel('', { maxRetransmits: 1, maxPacketLifeTime: 1 }), TypeError);
  assert.throws(() => pc.createDataChannel('', { maxRetransmits: -1 }), TypeError);
  assert.throws(() => pc.createDataChannel('', { negotiated: true }), TypeError);
  assert.throws(() => pc.createDataChannel('', { negotiated: true, id: 65535 }), TypeError);
  assert.throws(() => pc.createDataChannel('x'.repeat(65536)), TypeError);
  pc.createDataChannel('', { negotiated: true, id: 7 });
  assert.throws(() => pc.createDataChannel('', { negotiated: true, id: 7 }), named('OperationError'));
  assert.throws(() => channel.send('early'), named('InvalidStateError'));
  pc.close();
  assert.throws(() => pc.createDataChannel(''), named('InvalidStateError'));
});

// Behaviour 23.
test('what is sent arrives in order, a Blob too', async () => {
  const { near, far } = await channels();
  const got = [];
  far.onmessage = ({ data }) => got.push(typeof data === 'string' ? data : data instanceof Blob ? `blob ${data.size}` : new Uint8Array(data).join());
  near.send(new Blob(['one']));
  near.send('two');
  near.send(new Uint8Array([0, 1, 2, 3]).subarray(1, 3));
  near.send('');
  await until(() => got.length === 4);
  assert.deepEqual(got, ['111,110,101', 'two', '1,2', '']);
  far.binaryType = 'blob';
  far.binaryType = 'nonsense';
  assert.equal(far.binaryType, 'blob');
  near.send(new ArrayBuffer(5));
  await until(() => got.length === 5);
  assert.equal(got[4], 'blob 5');
  assert.throws(() => near.send(new ArrayBuffer(near.readyState && 2 ** 28)), TypeError);
});

// Behaviour 26.
test('bufferedAmount grows with each send, falls later, and keeps what closing left', async () => {
  const { a, near } = await channels();
  near.bufferedAmountLowThreshold = 3;
  near.send('hello');
  near.send(new Blob(['abc']));
  assert.equal(near.bufferedAmount, 8);
  await next(near, 'bufferedamountlow');
  assert.ok(near.bufferedAmount <= 3);
  await until(() => near.bufferedAmount === 0);
  near.send('hello');
  near.close();
  assert.deepEqual([near.readyState, near.bufferedAmount], ['closing', 5]);
  a.close();
  assert.equal(near.readyState, 'closed');
});

// Behaviour 31.
test('channels close with their events: in peace without an error, with one when the peer goes', async () => {
  const first = await channels();
  const order = [];
  for (const type of ['closing', 'close', 'error']) first.far.addEventListener(type, () => order.push(type));
  first.near.close();
  await next(first.far, 'close');
  assert.deepEqual(order, ['closing', 'close']);
  const second = await channels();
  const failed = next(second.far, 'error');
  const ended = next(second.far, 'close');
  const own = next(second.near, 'close');
  second.a.close();
  assert.equal(second.near.readyState, 'closed');
  const { error } = await failed;
  assert.ok(error instanceof globals.RTCError);
  assert.equal(error.errorDetail, 'sctp-failure');
  await ended;
  await own;
});

// Behaviours 18 and 33.
test('transports are one object each and change before their events', async () => {
  const a = peer();
  const b = peer();
  trickle(a, b);
  a.createDataChannel('x');
  assert.equal(a.sctp, null);
  await a.setLocalDescription();
  const { sctp } = a;
  assert.ok(sctp instanceof globals.RTCSctpTransport);
  const dtls = sctp.transport;
  const ice = dtls.iceTransport;
  assert.ok(dtls instanceof globals.RTCDtlsTransport && ice instanceof globals.RTCIceTransport);
  assert.deepEqual([sctp.state, dtls.state, ice.state, sctp.maxChannels, ice.getRemoteParameters(), ice.getSelectedCandidatePair()],
    ['connecting', 'new', 'new', null, null, null]);
  const states = [];
  dtls.onstatechange = () => states.push(dtls.state);
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await connected(a, b);
  await until(() => sctp.state === 'connected');
  assert.deepEqual(states, ['connecting', 'connected']);
  assert.equal(a.sctp, sctp);
  assert.ok(sctp.maxChannels > 0 && sctp.maxMessageSize > 0);
  assert.equal(dtls.getRemoteCertificates()[0].constructor, ArrayBuffer);
  assert.deepEqual([ice.role, b.sctp.transport.iceTransport.role, ice.component], ['controlling', 'controlled', 'rtp']);
  const pair = ice.getSelectedCandidatePair();
  assert.equal(ice.getSelectedCandidatePair(), pair);
  assert.ok(pair instanceof globals.RTCIceCandidatePair && pair.local instanceof globals.RTCIceCandidate);
  assert.equal(pair.local.type, 'host');
  assert.equal(ice.getLocalParameters().usernameFragment, /a=ice-ufrag:(\S+)/.exec(a.localDescription.sdp)[1]);
  assert.ok(ice.getLocalCandidates().length > 0 && ice.getRemoteCandidates().length > 0);
  const closed = next(b.sctp, 'statechange');
  a.close();
  assert.deepEqual([sctp.state, dtls.state, ice.state], ['closed', 'closed', 'closed']);
  await closed;
});

test('a connection that nobody holds lives as long as it is in use', async () => {
  let messages = 0;
  await (async () => {
    const { near, far } = await channels();
    far.onmessage = () => { messages += 1; };
    setTimeout(() => near.send('later'), 100);
  })();
  globalThis.gc?.();
  await wait(20);
  globalThis.gc?.();
  await until(() => messages === 1);
});
