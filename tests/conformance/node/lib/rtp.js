'use strict';
// RTCRtpTransceiver, RTCRtpSender, RTCRtpReceiver, RTCDTMFSender. The library names all of a transceiver by one number.

const rt = require('./idl.js');
const { native, operation, weakly } = require('./native.js');
const { wrapTrack } = require('./media.js');
const { transformable } = require('./transforms.js');
const { statsReport } = require('./values.js');

// Members that are not there are left out, as WebIDL does with dictionaries.
function present(value) {
  if (Array.isArray(value)) return value.map(present);
  if (value === null || typeof value !== 'object' || value instanceof ArrayBuffer) return value;
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null && v !== undefined).map(([k, v]) => [k, present(v)]));
}
const codec = present;

const streamIds = (streams) => [...new Set(streams.map((stream) => rt.of(stream).id))];

class Transceiver {
  constructor(pc, id) {
    this.pc = pc;
    this.id = id;
    this.handle = native.transceiverHandle(pc.native, id);
    this.sender = rt.create('RTCRtpSender', new Sender(pc, id));
    this.receiver = rt.create('RTCRtpReceiver', new Receiver(pc, id));
  }
  get mid() { return native.mid(this.pc.native, this.id); }
  get direction() { return native.direction(this.pc.native, this.id); }
  set direction(value) { this.pc.used(); native.setDirection(this.pc.native, this.id, value); }
  get stopped() { return native.stopped(this.pc.native, this.id); }
  get currentDirection() { return native.currentDirection(this.pc.native, this.id); }
  stop() { this.pc.used(); native.stop(this.pc.native, this.id); }
  setCodecPreferences(codecs) { native.setCodecPreferences(this.pc.native, this.id, codecs); }
  getHeaderExtensionsToNegotiate() { return native.extensionsToNegotiate(this.pc.native, this.id); }
  setHeaderExtensionsToNegotiate(extensions) { native.setExtensionsToNegotiate(this.pc.native, this.id, extensions); }
  getNegotiatedHeaderExtensions() { return native.negotiatedExtensions(this.pc.native, this.id); }
}

// RTCRtpSendParameters, each member where the specifications put it: sound has no resolution.
function sendParameters(given) {
  const out = present(given);
  out.codecs = given.codecs.map(codec);
  out.encodings.forEach((encoding, i) => {
    if (given.encodings[i].codec) encoding.codec = codec(given.encodings[i].codec);
  });
  return out;
}

function transportOf({ pc, id }) {
  const section = native.transportOf(pc.native, id);
  return section === null ? null : pc.transport('dtls', section);
}

class Sender {
  constructor(pc, id) {
    this.pc = pc;
    this.id = id;
    this.handle = native.transceiverHandle(pc.native, id);
    this.dtmf = native.kind(pc.native, id) === 'audio' ? rt.create('RTCDTMFSender', new DtmfSender(pc, id)) : null;
  }
  get track() {
    const handle = native.senderTrack(this.pc.native, this.id);
    return handle ? wrapTrack(handle) : null;
  }
  get transport() { return transportOf(this); }
  replaceTrack(track) {
    this.pc.used();
    return operation((done) => native.replaceTrack(this.pc.native, this.id, track ? rt.of(track).native : null, done));
  }
  getParameters() { return sendParameters(native.senderParameters(this.pc.native, this.id)); }
  setParameters(parameters, options) {
    this.pc.used();
    return operation((done) => native.setParameters(this.pc.native, this.id, parameters, options, done));
  }
  async generateKeyFrame(rids = []) { native.generateKeyFrame(this.pc.native, this.id, rids); }
  setStreams(...streams) { native.setStreams(this.pc.native, this.id, streamIds(streams)); }
  getStats() {
    this.pc.used();
    const { closed } = this.pc;
    return operation((done) => native.senderStats(this.pc.native, this.id, done)).then((list) => statsReport(list, closed));
  }
  static getCapabilities(kind) { return capabilities('senderCapabilities', kind); }
}

class Receiver {
  constructor(pc, id) {
    this.pc = pc;
    this.id = id;
    this.handle = native.transceiverHandle(pc.native, id);
    this.track = wrapTrack(native.receiverTrack(pc.native, id));
  }
  get transport() { return transportOf(this); }
  getParameters() {
    const given = native.receiverParameters(this.pc.native, this.id);
    const { reducedSize } = given.rtcp;
    return { ...present(given), rtcp: { reducedSize }, codecs: given.codecs.map(codec) };
  }
  getContributingSources() { return present(native.contributingSources(this.pc.native, this.id)); }
  getSynchronizationSources() { return present(native.synchronizationSources(this.pc.native, this.id)); }
  getStats() {
    this.pc.used();
    const { closed } = this.pc;
    return operation((done) => native.receiverStats(this.pc.native, this.id, done)).then((list) => statsReport(list, closed));
  }
  get jitterBufferTarget() { return native.jitterBufferTarget(this.pc.native, this.id); }
  set jitterBufferTarget(value) { native.setJitterBufferTarget(this.pc.native, this.id, value); }
  static getCapabilities(kind) { return capabilities('receiverCapabilities', kind); }
}

function capabilities(which, kind) {
  if (kind !== 'audio' && kind !== 'video') return null;
  const given = native[which](kind);
  return { codecs: given.codecs.map(codec), headerExtensions: present(given.headerExtensions) };
}

class DtmfSender {
  constructor(pc, id) {
    this.pc = pc;
    this.id = id;
    native.dtmfListen(pc.native, id, weakly(this, 'toneChanged'));
  }
  get canInsertDTMF() { return native.dtmfCanInsert(this.pc.native, this.id); }
  get toneBuffer() { return native.dtmfToneBuffer(this.pc.native, this.id); }
  insertDTMF(tones, duration, gap) { native.dtmfInsert(this.pc.native, this.id, tones, duration, gap); }
  toneChanged(tone) { this.wrapper.dispatchEvent(new rt.interfaces.RTCDTMFToneChangeEvent('tonechange', { tone })); }
}

transformable(Sender, 'sender');
transformable(Receiver, 'receiver');
rt.implement('RTCRtpSender', Sender);
rt.implement('RTCRtpReceiver', Receiver);

module.exports = { createTransceiver: (pc, id) => rt.create('RTCRtpTransceiver', new Transceiver(pc, id)), present, streamIds };
