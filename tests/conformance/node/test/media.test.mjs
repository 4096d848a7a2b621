// Transceivers, senders, receivers, tracks and streams.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { capture, cleanUp, connected, globals, negotiate, next, peer, trickle, until, wait } from './support.mjs';

afterEach(cleanUp);
const named = (name) => (error) => error.name === name;
const { RTCRtpSender, RTCRtpReceiver, RTCRtpTransceiver, MediaStream, MediaStreamTrack, RTCTrackEvent } = globals;

// Behaviour 19.
test('transceivers take shape with the negotiation', async () => {
  const a = peer();
  const b = peer();
  const transceiver = a.addTransceiver('video', { direction: 'sendonly' });
  assert.ok(transceiver instanceof RTCRtpTransceiver);
  assert.equal(a.getTransceivers()[0], transceiver);
  assert.equal(transceiver.sender, a.getSenders()[0]);
  assert.equal(transceiver.receiver, a.getReceivers()[0]);
  assert.deepEqual([transceiver.mid, transceiver.direction, transceiver.currentDirection], [null, 'sendonly', null]);
  await negotiate(a, b);
  assert.deepEqual([transceiver.mid, transceiver.currentDirection], ['0', 'sendonly']);
  assert.equal(b.getTransceivers()[0].currentDirection, 'recvonly');
  assert.throws(() => { transceiver.direction = 'stopped'; }, TypeError);
  transceiver.direction = 'nonsense';
  assert.equal(transceiver.direction, 'sendonly');
  assert.throws(() => a.addTransceiver('smell'), TypeError);
});

// Behaviour 8.
test('a transceiver stops by way of stopping, and its section is used again', async () => {
  const a = peer();
  const b = peer();
  const transceiver = a.addTransceiver('audio');
  await negotiate(a, b);
  const ended = next(transceiver.receiver.track, 'ended');
  transceiver.stop();
  assert.equal(transceiver.receiver.track.readyState, 'live');
  assert.deepEqual([transceiver.direction, transceiver.currentDirection, transceiver.mid], ['stopped', 'sendonly', '0']);
  await ended;
  await negotiate(a, b);
  assert.deepEqual([transceiver.currentDirection, transceiver.mid, a.getTransceivers().length, b.getTransceivers().length], ['stopped', null, 0, 0]);
  a.addTransceiver('video');
  await negotiate(a, b);
  assert.equal(a.localDescription.sdp.match(/^m=/gm).length, 1);
});

test('an answer silences what is stopping, the next offer takes it away', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('audio');
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  const [transceiver] = b.getTransceivers();
  transceiver.stop();
  const needed = next(b, 'negotiationneeded');
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  assert.deepEqual([transceiver.currentDirection, a.getTransceivers()[0].currentDirection], ['inactive', 'inactive']);
  await needed;
  await negotiate(b, a);
  assert.equal(a.getTransceivers().length, 0);
});

// Behaviours 2, 11 and 20.
test('encodings are checked and have their defaults', async () => {
  const pc = peer();
  const add = (...sendEncodings) => pc.addTransceiver('video', { sendEncodings });
  assert.throws(() => add({ rid: '~' }, { rid: 'b' }), TypeError);
  assert.throws(() => add({ rid: 'a' }, { rid: 'a' }), TypeError);
  assert.throws(() => add({ rid: 'a' }, {}), TypeError);
  assert.throws(() => add({ scaleResolutionDownBy: 0.5 }), RangeError);
  assert.throws(() => add({ maxFramerate: -1 }), RangeError);
  const { sender } = add({ rid: 'a' }, { rid: 'b', active: false });
  const parameters = sender.getParameters();
  assert.deepEqual(parameters.encodings.map(({ rid, active, scaleResolutionDownBy }) => [rid, active, scaleResolutionDownBy]), [['a', true, 2], ['b', false, 1]]);
  assert.equal(sender.getParameters().transactionId, parameters.transactionId);
  parameters.encodings[1].active = true;
  parameters.encodings[1].priority = 'high';
  parameters.encodings[1].adaptivePtime = true;
  await sender.setParameters(parameters);
  assert.equal(sender.getParameters().encodings[1].priority, 'high');
  await assert.rejects(sender.setParameters(parameters), named('InvalidModificationError'));
  await wait(5);
  await assert.rejects(sender.setParameters(parameters), named('InvalidStateError'));
  const changed = sender.getParameters();
  changed.encodings.pop();
  await assert.rejects(sender.setParameters(changed), named('InvalidModificationError'));
});

// Behaviour 3.
test('a codec is chosen out of what is negotiated', async () => {
  const a = peer();
  const b = peer();
  const { sender, receiver } = a.addTransceiver('video');
  assert.equal(sender.getParameters().codecs.length, 0);
  await negotiate(a, b);
  const parameters = sender.getParameters();
  const { codecs } = parameters;
  assert.ok(codecs.length > 0);
  assert.ok(receiver.getParameters().codecs.length > 0);
  const { mimeType, clockRate, sdpFmtpLine } = codecs.at(-1);
  parameters.encodings[0].codec = sdpFmtpLine === undefined ? { mimeType, clockRate } : { mimeType, clockRate, sdpFmtpLine };
  if (!/rtx|red|ulpfec|flexfec/.test(mimeType)) {
    await sender.setParameters(parameters);
    assert.equal(sender.getParameters().encodings[0].codec.mimeType, mimeType);
  }
  await wait(5);
  const wrong = sender.getParameters();
  wrong.encodings[0].codec = { mimeType: 'video/none', clockRate: 90000 };
  await assert.rejects(sender.setParameters(wrong), named('InvalidModificationError'));
});

// Behaviour 14.
test('preferences order the codecs of a description', async () => {
  const pc = peer();
  const transceiver = pc.addTransceiver('video');
  const { codecs } = RTCRtpReceiver.getCapabilities('video');
  assert.equal(RTCRtpSender.getCapabilities('smell'), null);
  const order = [...new Set(codecs.map((c) => c.mimeType))].filter((name) => /VP[89]/i.test(name)).reverse();
  transceiver.setCodecPreferences(codecs.filter((c) => c.mimeType === order[0]));
  const { sdp } = await pc.createOffer();
  assert.ok(sdp.includes(order[0].slice(6)));
  assert.ok(!sdp.includes(`${order.at(-1).slice(6)}/90000`) || order.length === 1);
  assert.throws(() => transceiver.setCodecPreferences([{ mimeType: 'video/none', clockRate: 90000 }]), named('InvalidModificationError'));
});

// Behaviour 13.
test('a sender swaps its track and its streams', async () => {
  const a = peer();
  const b = peer();
  const stream = await capture({ audio: true, video: { width: 160, height: 120 } });
  const [audio] = stream.getAudioTracks();
  const [video] = stream.getVideoTracks();
  const sender = a.addTrack(audio);
  assert.throws(() => a.addTrack(audio), named('InvalidAccessError'));
  await assert.rejects(sender.replaceTrack(video), TypeError);
  await sender.replaceTrack(null);
  assert.equal(sender.track, null);
  await sender.replaceTrack(audio);
  assert.equal(sender.track, audio);
  const other = new MediaStream();
  sender.setStreams(stream, other);
  const track = next(b, 'track');
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  assert.equal(b.getSenders()[0].transport, null);
  assert.deepEqual((await track).streams.map((s) => s.id).sort(), [stream.id, other.id].sort());
  a.getTransceivers()[0].stop();
  await assert.rejects(sender.replaceTrack(null), named('InvalidStateError'));
});

// Behaviour 9.
test('header extensions are offered as wished', async () => {
  const pc = peer();
  const transceiver = pc.addTransceiver('video');
  const list = transceiver.getHeaderExtensionsToNegotiate();
  const chosen = list.find(({ uri, direction }) => !uri.includes('mid') && direction !== 'stopped');
  chosen.direction = 'stopped';
  transceiver.setHeaderExtensionsToNegotiate(list);
  assert.ok(!(await pc.createOffer()).sdp.includes(chosen.uri));
  assert.throws(() => transceiver.setHeaderExtensionsToNegotiate([]), named('InvalidModificationError'));
  assert.ok(transceiver.getNegotiatedHeaderExtensions().every(({ direction }) => direction === 'stopped'));
});

// Behaviour 15.
test('jitterBufferTarget has its bounds', () => {
  const { receiver } = peer().addTransceiver('audio');
  assert.equal(receiver.jitterBufferTarget, null);
  receiver.jitterBufferTarget = 500;
  assert.equal(receiver.jitterBufferTarget, 500);
  assert.throws(() => { receiver.jitterBufferTarget = 4001; }, RangeError);
  assert.throws(() => { receiver.jitterBufferTarget = -1; }, RangeError);
  assert.throws(() => { receiver.jitterBufferTarget = NaN; }, TypeError);
  receiver.jitterBufferTarget = null;
  assert.equal(receiver.jitterBufferTarget, null);
});

// Behaviour 34.
test('a remote track is muted until media comes, and again when the peer stops', async () => {
  const a = peer();
  const b = peer();
  trickle(a, b);
  const stream = await capture({ audio: true });
  a.addTrack(stream.getTracks()[0], stream);
  const incoming = next(b, 'track');
  const negotiated = negotiate(a, b);
  const { track } = await incoming;
  assert.equal(track.muted, true);
  const unmuted = next(track, 'unmute');
  await negotiated;
  await unmuted;
  const [{ source, audioLevel }] = await (async () => {
    await until(() => b.getReceivers()[0].getSynchronizationSources().length > 0);
    return b.getReceivers()[0].getSynchronizationSources();
  })();
  assert.ok(source > 0 && audioLevel >= 0 && audioLevel <= 1);
  assert.deepEqual(b.getReceivers()[0].getContributingSources(), []);
  a.getTransceivers()[0].direction = 'inactive';
  const muted = next(track, 'mute');
  await negotiate(a, b);
  await muted;
});

// Behaviour 35.
test('simulcast is offered, and kept to what the answer takes', async () => {
  const a = peer();
  const b = peer();
  a.addTransceiver('video', { sendEncodings: [{ rid: 'q' }, { rid: 'h' }, { rid: 'f' }] });
  await a.setLocalDescription();
  assert.match(a.localDescription.sdp, /a=simulcast:send q;h;f/);
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  const kept = a.getSenders()[0].getParameters().encodings.length;
  assert.ok(kept === 3 || kept === 1);
});

test('streams and tracks behave without a connection', async () => {
  const stream = await capture({ audio: true, video: true });
  assert.ok(stream instanceof MediaStream && stream.active);
  const [track] = stream.getVideoTracks();
  assert.ok(track instanceof MediaStreamTrack);
  assert.equal(stream.getTrackById(track.id), track);
  const clone = track.clone();
  assert.deepEqual([clone.kind, clone.id === track.id, clone.readyState], ['video', false, 'live']);
  clone.stop();
  assert.equal(track.readyState, 'live');
  const copy = new MediaStream(stream);
  assert.notEqual(copy.id, stream.id);
  copy.removeTrack(track);
  assert.deepEqual([copy.getTracks().length, stream.getTracks().length], [1, 2]);
  track.enabled = false;
  assert.equal(track.enabled, false);
  track.contentHint = 'detail';
  track.contentHint = 'music';
  assert.equal(track.contentHint, 'detail');
  for (const t of stream.getTracks()) t.stop();
  assert.deepEqual([track.readyState, stream.active], ['ended', false]);
  const original = MediaStreamTrack.prototype.stop;
  track.stop = function stop() { return original.call(this); };
  track.stop();
  assert.throws(() => new RTCTrackEvent('track', {}), TypeError);
});
