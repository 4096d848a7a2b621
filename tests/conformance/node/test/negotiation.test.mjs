// The operations chain, descriptions, rollback, negotiationneeded, candidates.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { capture, cleanUp, connected, globals, negotiate, next, peer, trickle, turn, until, wait } from './support.mjs';

afterEach(cleanUp);
const named = (name) => (error) => error.name === name;

// Behaviour 6.
test('operations run one at a time, and nothing settles after close', async () => {
  const pc = peer();
  pc.addTransceiver('audio');
  const log = [];
  pc.createOffer().then(() => log.push('offer'));
  pc.createAnswer().catch((error) => log.push(error.name));
  pc.setLocalDescription().then(() => log.push('local'));
  await until(() => log.length === 3);
  assert.deepEqual(log, ['offer', 'InvalidStateError', 'local']);
  pc.createOffer().finally(() => log.push('never'));
  pc.close();
  await wait(50);
  assert.equal(log.length, 3);
  await assert.rejects(pc.createOffer(), named('InvalidStateError'));
});

test('what is wrong from the start is settled when the call returns', async () => {
  const pc = peer();
  let refused = false;
  pc.createAnswer().catch(() => { refused = true; });
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(refused, true);
});

// Behaviours 22 and 30.
test('a description changes everything in one task, before its event', async () => {
  const pc = peer();
  const { sender } = pc.addTransceiver('audio');
  const seen = next(pc, 'signalingstatechange').then(() => [pc.signalingState, pc.pendingLocalDescription?.type, sender.transport !== null]);
  const done = pc.setLocalDescription();
  assert.equal(pc.signalingState, 'stable');
  assert.equal(pc.localDescription, null);
  assert.deepEqual(await seen, ['have-local-offer', 'offer', true]);
  await done;
  assert.equal(pc.localDescription, pc.pendingLocalDescription);
  await assert.rejects(pc.setLocalDescription({ type: 'answer' }), named('InvalidStateError'));
});

test('a changed offer is refused, a syntax error names its line', async () => {
  const pc = peer();
  pc.addTransceiver('audio');
  const { sdp } = await pc.createOffer();
  await assert.rejects(pc.setLocalDescription({ type: 'offer', sdp: `${sdp}a=x\r\n` }), named('InvalidModificationError'));
  await assert.rejects(pc.setRemoteDescription({ type: 'offer', sdp: 'v=0\r\nnonsense\r\n' }), (error) => {
    assert.ok(error instanceof globals.RTCError);
    assert.deepEqual([error.errorDetail, error.sdpLineNumber], ['sdp-syntax-error', 2]);
    return true;
  });
});

// Behaviour 12.
test('a rollback restores what was there, each side its own', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('audio');
  await a.setLocalDescription();
  await assert.rejects(a.setRemoteDescription({ type: 'rollback' }), named('InvalidStateError'));
  await b.setRemoteDescription(a.localDescription);
  const [made] = b.getTransceivers();
  await b.setRemoteDescription({ type: 'rollback' });
  assert.equal(b.getTransceivers().length, 0);
  assert.equal(made.receiver.track.readyState, 'live');
  await next(made.receiver.track, 'ended');
  await a.setLocalDescription({ type: 'rollback' });
  assert.deepEqual([a.signalingState, a.getTransceivers()[0].mid], ['stable', null]);
});

test('an offer that meets ours rolls it back', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('audio');
  b.addTransceiver('video');
  await a.setLocalDescription();
  await b.setLocalDescription();
  const states = [];
  a.onsignalingstatechange = () => states.push(a.signalingState);
  await a.setRemoteDescription(b.localDescription);
  assert.deepEqual(states, ['stable', 'have-remote-offer']);
});

test('the offer made before a rollback can still be set', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('audio');
  b.addTransceiver('audio');
  const offer = await a.createOffer();
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await a.setRemoteDescription({ type: 'rollback' });
  await a.setLocalDescription(offer);
  assert.equal(a.localDescription.sdp, offer.sdp);
});

// Behaviour 32.
test('negotiationneeded fires once per need, and not between an offer and its answer', async () => {
  const a = peer();
  const b = peer();
  let count = 0;
  a.onnegotiationneeded = () => { count += 1; };
  a.addTransceiver('audio');
  a.createDataChannel('x');
  await wait(20);
  assert.equal(count, 1);
  await a.setLocalDescription();
  a.addTransceiver('video');
  await wait(20);
  assert.equal(count, 1);
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await until(() => count === 2);
});

// Behaviour 16.
test('restartIce brings new credentials with the next offer', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('audio');
  await negotiate(a, b);
  const ufrag = () => /a=ice-ufrag:(\S+)/.exec(a.localDescription.sdp)[1];
  const before = ufrag();
  const needed = next(a, 'negotiationneeded');
  a.restartIce();
  await needed;
  await negotiate(a, b);
  assert.notEqual(ufrag(), before);
});

// Behaviour 36.
test('candidates go where they belong, or are refused', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('audio');
  a.addTransceiver('video');
  const candidate = 'candidate:1 1 udp 2113929471 192.0.2.1 50000 typ host';
  await assert.rejects(b.addIceCandidate({ candidate, sdpMid: '0' }), named('InvalidStateError'));
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await assert.rejects(b.addIceCandidate({ candidate }), TypeError);
  await assert.rejects(b.addIceCandidate({ candidate, sdpMid: 'none' }), named('OperationError'));
  await assert.rejects(b.addIceCandidate({ candidate, sdpMid: '0', usernameFragment: 'none' }), named('OperationError'));
  await b.addIceCandidate({ candidate, sdpMid: '0' });
  assert.match(b.remoteDescription.sdp, /192\.0\.2\.1 50000/);
  await b.addIceCandidate();
  assert.equal(b.remoteDescription.sdp.match(/a=end-of-candidates/g).length, 2);
});

// Behaviour 17.
test('states change transport first, and gathering ends in one task', async () => {
  const a = peer();
  const b = peer();
  a.createDataChannel('x');
  const log = [];
  a.oniceconnectionstatechange = () => log.push(`ice ${a.iceConnectionState}`);
  a.onconnectionstatechange = () => log.push(`all ${a.connectionState}`);
  const gathering = [];
  a.onicegatheringstatechange = () => gathering.push(a.iceGatheringState);
  a.addEventListener('icecandidate', ({ candidate }) => { if (!candidate) gathering.push('null'); });
  trickle(a, b);
  await negotiate(a, b);
  await connected(a, b);
  assert.deepEqual(log.slice(0, 2), ['ice checking', 'all connecting']);
  assert.ok(log.indexOf('ice connected') < log.indexOf('all connected'));
  await until(() => gathering.includes('null'));
  assert.deepEqual(gathering, ['gathering', 'complete', 'null']);
  a.close();
  assert.deepEqual([a.connectionState, a.iceConnectionState, a.signalingState], ['closed', 'closed', 'closed']);
  const told = log.length;
  await wait(20);
  assert.equal(log.length, told);
});

// Behaviour 25.
test('sections of unknown media are rejected, and a description without msid has a stream', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('audio');
  const { sdp } = await a.createOffer();
  const unknown = 'm=text 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:x\r\na=rtpmap:98 t140/1000\r\na=rtcp-mux\r\n';
  const track = next(b, 'track');
  await b.setRemoteDescription({ type: 'offer', sdp: sdp.replace(/a=msid:.*\r\n/g, '') + unknown });
  assert.equal((await track).streams.length, 1);
  await b.setLocalDescription();
  assert.match(b.localDescription.sdp, /m=text 0 /);
});

// Behaviour 21.
test('streams of remote tracks come and go with their events', async () => {
  const a = peer();
  const b = peer();
  const stream = await capture({ audio: true });
  const sender = a.addTrack(stream.getTracks()[0], stream);
  const order = [];
  b.ontrack = ({ streams }) => { order.push(`track ${streams[0].getTracks().length}`); };
  const track = next(b, 'track');
  b.onsignalingstatechange = () => order.push(b.signalingState);
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription).then(() => order.push('resolved'));
  assert.deepEqual(order, ['have-remote-offer', 'track 1', 'resolved']);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  const { streams: [remote] } = await track;
  assert.equal(remote.id, stream.id);
  const removed = next(remote, 'removetrack');
  a.removeTrack(sender);
  await negotiate(a, b);
  await removed;
  assert.equal(remote.getTracks().length, 0);
  await turn();
});
