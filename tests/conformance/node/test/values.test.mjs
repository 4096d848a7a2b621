// Configuration, certificates, events, values: what pages make without a connection.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { capture, cleanUp, globals, mediaDevices, negotiate, peer, trickle, connected, until } from './support.mjs';

afterEach(cleanUp);
const named = (name) => (error) => error.name === name;
const { RTCPeerConnection, RTCIceCandidate, RTCSessionDescription, RTCError, RTCErrorEvent, RTCPeerConnectionIceEvent, RTCPeerConnectionIceErrorEvent,
  RTCDataChannelEvent, RTCDTMFToneChangeEvent, RTCTrackEvent, MediaStreamTrackEvent } = globals;

// Behaviour 24.
test('a configuration is checked, kept, and changed by its rules', () => {
  const given = { iceServers: [{ urls: 'turn:turn.example.org', username: '', credential: '' }], bundlePolicy: 'max-bundle', iceCandidatePoolSize: 3 };
  const pc = peer(given);
  const { iceServers, bundlePolicy, rtcpMuxPolicy, iceTransportPolicy, iceCandidatePoolSize, certificates } = pc.getConfiguration();
  assert.deepEqual([iceServers[0].urls, bundlePolicy, rtcpMuxPolicy, iceTransportPolicy, iceCandidatePoolSize, certificates],
    [['turn:turn.example.org'], 'max-bundle', 'require', 'all', 3, []]);
  assert.throws(() => peer(null, 1) && peer('x'), TypeError);
  assert.throws(() => peer({ iceServers: null }), TypeError);
  assert.throws(() => peer({ iceCandidatePoolSize: 256 }), TypeError);
  assert.throws(() => peer({ bundlePolicy: 'none' }), TypeError);
  assert.throws(() => peer({ iceServers: [{ urls: 'http://x' }] }), named('SyntaxError'));
  assert.throws(() => peer({ iceServers: [{ urls: 'turn:x', username: 'u' }] }), named('InvalidAccessError'));
  assert.throws(() => pc.setConfiguration({ bundlePolicy: 'balanced' }), named('InvalidModificationError'));
  pc.setConfiguration({ bundlePolicy: 'max-bundle', iceTransportPolicy: 'relay' });
  assert.equal(pc.getConfiguration().iceTransportPolicy, 'relay');
  pc.close();
  assert.throws(() => pc.setConfiguration({ bundlePolicy: 'max-bundle' }), named('InvalidStateError'));
});

// Behaviour 7.
test('certificates are made, told and used', async () => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const certificate = await RTCPeerConnection.generateCertificate({ ...algorithm, expires: 86400000 });
  assert.ok(Math.abs(certificate.expires - Date.now() - 86400000) < 60000);
  const [{ algorithm: hash, value }] = certificate.getFingerprints();
  assert.match(value, /^[0-9a-f]{2}(:[0-9a-f]{2})+$/);
  const pc = peer({ certificates: [certificate] });
  assert.equal(pc.getConfiguration().certificates[0], certificate);
  pc.createDataChannel('x');
  assert.ok((await pc.createOffer()).sdp.toLowerCase().includes(`a=fingerprint:${hash} ${value}`));
  const rsa = await RTCPeerConnection.generateCertificate({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) });
  assert.ok(rsa.expires > Date.now());
  const old = await RTCPeerConnection.generateCertificate({ ...algorithm, expires: 0 });
  assert.throws(() => peer({ certificates: [old] }), named('InvalidAccessError'));
  await assert.rejects(RTCPeerConnection.generateCertificate({ name: 'ECDSA', namedCurve: 'none' }), named('NotSupportedError'));
  assert.throws(() => new globals.RTCCertificate(), TypeError);
});

// Behaviours 27 and 28.
test('events and errors are made by pages too', () => {
  const error = new RTCError({ errorDetail: 'sdp-syntax-error', sdpLineNumber: 3 }, 'text');
  assert.ok(error instanceof DOMException);
  assert.deepEqual([error.name, error.message, error.errorDetail, error.sdpLineNumber, error.sctpCauseCode], ['OperationError', 'text', 'sdp-syntax-error', 3, null]);
  assert.throws(() => new RTCError(), TypeError);
  assert.throws(() => new RTCError({ errorDetail: 'none' }), TypeError);
  assert.equal(new RTCErrorEvent('error', { error }).error, error);
  assert.equal(new RTCPeerConnectionIceEvent('icecandidate').candidate, null);
  assert.equal(new RTCPeerConnectionIceErrorEvent('x', { errorCode: 701 }).url, '');
  assert.equal(new RTCDTMFToneChangeEvent('tonechange', { tone: '1' }).tone, '1');
  for (const [Type, type] of [[RTCDataChannelEvent, 'x'], [RTCErrorEvent, 'x'], [RTCTrackEvent, 'x'], [MediaStreamTrackEvent, 'x']]) {
    assert.throws(() => new Type(type), TypeError);
    assert.throws(() => new Type(type, {}), TypeError);
  }
  const { receiver } = peer().addTransceiver('audio');
  assert.throws(() => new RTCTrackEvent('track', { receiver, track: receiver.track, transceiver: {} }), TypeError);
});

// Behaviour 29.
test('a candidate is read', () => {
  const line = 'candidate:1905690388 1 udp 2113937151 192.0.2.7 58041 typ srflx raddr 192.0.2.1 rport 9 generation 0 ufrag thC8';
  const candidate = new RTCIceCandidate({ candidate: line, sdpMid: '0', usernameFragment: 'thC8' });
  assert.deepEqual([candidate.foundation, candidate.component, candidate.priority, candidate.address, candidate.protocol, candidate.port, candidate.type,
    candidate.tcpType, candidate.relatedAddress, candidate.relatedPort, candidate.sdpMLineIndex],
  ['1905690388', 'rtp', 2113937151, '192.0.2.7', 'udp', 58041, 'srflx', null, '192.0.2.1', 9, null]);
  assert.deepEqual(candidate.toJSON(), { candidate: line, sdpMid: '0', sdpMLineIndex: null, usernameFragment: 'thC8' });
  assert.throws(() => new RTCIceCandidate({ candidate: line }), TypeError);
  assert.deepEqual(JSON.parse(JSON.stringify(new RTCSessionDescription({ type: 'offer' }))), { type: 'offer', sdp: '' });
});

// Behaviours 1 and 4.
test('statistics are a map whose references resolve', async () => {
  const a = peer();
  const b = peer();
  trickle(a, b);
  const stream = await capture({ audio: true });
  a.addTrack(stream.getTracks()[0], stream);
  await negotiate(a, b);
  await connected(a, b);
  await until(() => b.getReceivers()[0].getSynchronizationSources().length > 0);
  const report = await a.getStats();
  assert.ok(report instanceof globals.RTCStatsReport);
  const types = new Set();
  for (const [id, stats] of report) {
    assert.equal(stats.id, id);
    assert.ok(Math.abs(stats.timestamp - Date.now()) < 5000);
    types.add(stats.type);
    for (const [name, value] of Object.entries(stats)) {
      if (/^(transport|codec|mediaSource|localCandidate|remoteCandidate|selectedCandidatePair|localCertificate|remoteCertificate)Id$/.test(name)) {
        assert.ok(report.has(value), `${stats.type}.${name}`);
      }
    }
  }
  for (const type of ['outbound-rtp', 'codec', 'transport', 'candidate-pair', 'local-candidate', 'certificate', 'peer-connection', 'media-source']) {
    assert.ok(types.has(type), type);
  }
  assert.equal(report.size, [...report.keys()].length);
});

test('the interfaces look like those of a browser', async () => {
  for (const [name, Interface] of Object.entries(globals)) {
    assert.equal(Interface.name, name);
    assert.equal(Object.prototype.toString.call(Interface.prototype), `[object ${name}]`);
    assert.throws(() => Interface(), TypeError);
  }
  assert.equal(Object.getPrototypeOf(RTCPeerConnection), EventTarget);
  assert.equal(RTCPeerConnection.length, 0);
  assert.equal(RTCPeerConnection.prototype.setRemoteDescription.length, 1);
  const { get } = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'signalingState');
  assert.throws(() => get.call({}), TypeError);
  await assert.rejects(RTCPeerConnection.prototype.createOffer.call({}), TypeError);
  assert.ok(Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'close').enumerable);
  assert.throws(() => new globals.RTCRtpSender(), TypeError);
  const pc = peer();
  const handler = () => {};
  pc.ontrack = handler;
  assert.equal(pc.ontrack, handler);
  pc.ontrack = 1;
  assert.equal(pc.ontrack, null);
});

test('devices are there without any', async () => {
  const kinds = (await mediaDevices.enumerateDevices()).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['audioinput', 'videoinput']);
  await assert.rejects(mediaDevices.getUserMedia({}), TypeError);
  await assert.rejects(mediaDevices.getUserMedia({ video: { width: { exact: 100000 } } }), (error) => error instanceof globals.OverconstrainedError);
  const [track] = (await capture({ video: { width: 320, height: 240 } })).getTracks();
  assert.deepEqual([track.getSettings().width, track.getSettings().height], [320, 240]);
});
