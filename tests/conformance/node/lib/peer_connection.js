'use strict';
// RTCPeerConnection.

const os = require('node:os');
const rt = require('./idl.js');
const { native, operation, hold, release, weakly } = require('./native.js');
const { createChannel } = require('./data_channel.js');
const { remoteStream, wrapTrack } = require('./media.js');
const { createTransceiver, present, streamIds } = require('./rtp.js');
const { createTransport, fireTransportEvent } = require('./transports.js');
const { candidateOf, generateCertificate, statsReport } = require('./values.js');

// A machine without a network still can speak to itself.
const lonely = () => Object.values(os.networkInterfaces()).flat().every((address) => address.internal);

// webrtc-pc 4.4.1.6: `urls` is a list from here on.
function normalized(given) {
  return { ...given, iceServers: given.iceServers.map((server) => ({ ...server, urls: [server.urls].flat() })) };
}

function nativeConfiguration(given) {
  return {
    ...normalized(given),
    certificates: given.certificates.map((certificate) => rt.of(certificate).native),
    includeLoopback: lonely(),
  };
}

class PeerConnection {
  constructor(wrapper, configuration) {
    this.wrapper = wrapper;
    this.configuration = normalized(configuration);
    this.channels = new Set();
    this.transceivers = new Map();
    this.transports = new Map();
    this.streams = new Map();
    this.descriptions = new Map();
    this.closed = false;
    for (const certificate of configuration.certificates) {
      if (rt.of(certificate).expires < Date.now()) throw new DOMException('a certificate has expired', 'InvalidAccessError');
    }
    this.native = native.pcCreate(nativeConfiguration(configuration), weakly(this, 'happened'));
  }

  /// From now on the connection lives until it is closed, also if nobody holds it.
  used() {
    if (!this.closed) hold(this);
  }

  // --- negotiation -------------------------------------------------------------------------------

  operation(start) {
    this.used();
    return operation((done) => start(done));
  }

  createOffer(...given) {
    if (typeof given[0] === 'function') return legacy(this.createOffer(given[2]), given[0], given[1]);
    const options = given[0];
    this.offerToReceive(options);
    return this.operation((done) => native.createOffer(this.native, options.iceRestart, done)).then(present);
  }
  createAnswer(...given) {
    if (typeof given[0] === 'function') return legacy(this.createAnswer({}), given[0], given[1]);
    return this.operation((done) => native.createAnswer(this.native, done)).then(present);
  }
  setLocalDescription(description, ...callbacks) {
    if (callbacks.length > 0) return legacy(this.setLocalDescription(description), ...callbacks);
    return this.operation((done) => native.setLocalDescription(this.native, description.type, description.sdp, done));
  }
  setRemoteDescription(description, ...callbacks) {
    if (callbacks.length > 0) return legacy(this.setRemoteDescription(description), ...callbacks);
    return this.operation((done) => native.setRemoteDescription(this.native, description.type, description.sdp, done));
  }
  addIceCandidate(candidate, ...callbacks) {
    if (callbacks.length > 0) return legacy(this.addIceCandidate(candidate), ...callbacks);
    return this.operation((done) => native.addIceCandidate(this.native, candidate, done));
  }

  // webrtc-pc 4.4.3.1, the legacy members of RTCOfferOptions.
  offerToReceive(options) {
    for (const [kind, wanted] of [['audio', options.offerToReceiveAudio], ['video', options.offerToReceiveVideo]]) {
      if (wanted === undefined || this.closed) continue;
      const able = this.getTransceivers().map((t) => rt.of(t))
        .filter((t) => native.kind(this.native, t.id) === kind && t.direction !== 'stopped');
      if (wanted) {
        if (!able.some((t) => t.direction === 'sendrecv' || t.direction === 'recvonly')) this.addTransceiver(kind, { direction: 'recvonly' });
      } else {
        for (const t of able) {
          if (t.direction === 'sendrecv') t.direction = 'sendonly';
          else if (t.direction === 'recvonly') t.direction = 'inactive';
        }
      }
    }
  }

  // One object as long as the description stays what it is.
  description(slot) {
    const given = native.description(this.native, slot);
    if (!given) return null;
    const known = this.descriptions.get(slot);
    if (known?.type === given.type && known.sdp === given.sdp) return known;
    const made = new rt.interfaces.RTCSessionDescription(given);
    this.descriptions.set(slot, made);
    return made;
  }
  get currentLocalDescription() { return this.description('currentLocal'); }
  get pendingLocalDescription() { return this.description('pendingLocal'); }
  get localDescription() { return this.pendingLocalDescription ?? this.currentLocalDescription; }
  get currentRemoteDescription() { return this.description('currentRemote'); }
  get pendingRemoteDescription() { return this.description('pendingRemote'); }
  get remoteDescription() { return this.pendingRemoteDescription ?? this.currentRemoteDescription; }

  get signalingState() { return native.signalingState(this.native); }
  get iceGatheringState() { return native.iceGatheringState(this.native); }
  get iceConnectionState() { return native.iceConnectionState(this.native); }
  get connectionState() { return native.connectionState(this.native); }
  get canTrickleIceCandidates() { return native.canTrickle(this.native); }

  restartIce() { this.used(); native.restartIce(this.native); }

  getConfiguration() {
    const { iceServers, certificates, ...rest } = this.configuration;
    return { ...rest, iceServers: structuredClone(iceServers), certificates: [...certificates] };
  }
  setConfiguration(configuration) {
    const before = this.configuration.certificates;
    const after = configuration.certificates;
    if (!this.closed && after.length > 0 && (before.length !== after.length || after.some((c, i) => c !== before[i]))) {
      throw new DOMException('the certificates cannot be changed', 'InvalidModificationError');
    }
    const given = nativeConfiguration(configuration);
    native.setConfiguration(this.native, { ...given, certificates: given.certificates });
    this.configuration = { ...normalized(configuration), certificates: before };
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    native.close(this.native);
    release(this);
  }

  static generateCertificate(algorithm) { return generateCertificate(algorithm); }

  // --- media -------------------------------------------------------------------------------------

  transceiver(id) {
    if (!this.transceivers.has(id)) this.transceivers.set(id, createTransceiver(this, id));
    return this.transceivers.get(id);
  }
  getTransceivers() { return native.transceivers(this.native).map((id) => this.transceiver(id)); }
  getSenders() { return native.senders(this.native).map((id) => rt.of(this.transceiver(id)).sender); }
  getReceivers() { return native.senders(this.native).map((id) => rt.of(this.transceiver(id)).receiver); }

  addTrack(track, ...streams) {
    this.used();
    const id = native.addTrack(this.native, rt.of(track).native, streamIds(streams));
    return rt.of(this.transceiver(id)).sender;
  }
  removeTrack(sender) {
    this.used();
    const state = rt.of(sender);
    if (state.pc !== this && !this.closed) throw new DOMException('the sender is of another connection', 'InvalidAccessError');
    native.removeTrack(this.native, state.id);
  }
  addTransceiver(trackOrKind, init) {
    const isTrack = typeof trackOrKind !== 'string';
    if (!isTrack && trackOrKind !== 'audio' && trackOrKind !== 'video') throw new TypeError(`addTransceiver: '${trackOrKind}' is no kind`);
    this.used();
    const given = { ...init, streams: streamIds(init.streams ?? []) };
    const kind = isTrack ? rt.of(trackOrKind).kind : trackOrKind;
    return this.transceiver(native.addTransceiver(this.native, kind, isTrack ? rt.of(trackOrKind).native : null, given));
  }

  // --- data, transports, statistics --------------------------------------------------------------

  createDataChannel(label, init) {
    this.used();
    return createChannel(this, native.createDataChannel(this.native, label, init));
  }
  get sctp() { return native.hasSctp(this.native) ? this.transport('sctp') : null; }

  /// The first one, or that which a section has for itself.
  transport(kind, section = -1) {
    const key = section < 0 ? kind : `${kind}@${section}`;
    if (!this.transports.has(key)) {
      this.transports.set(key, createTransport(kind, this, section));
      const other = `${kind === 'ice' ? 'dtls' : 'ice'}@${section}`;
      if (section >= 0 && !this.transports.has(other)) this.watchTransport(section);
    }
    return this.transports.get(key);
  }

  watchTransport(section) {
    native.watchTransport(this.native, section, weakly(this, 'happened'));
  }

  getStats(selector) {
    this.used();
    const { closed } = this;
    return operation((done) => native.getStats(this.native, selector ? rt.of(selector).native : null, done))
      .then((list) => statsReport(list, closed));
  }

  // --- events ------------------------------------------------------------------------------------

  happened(what, ...given) {
    const { wrapper } = this;
    const { RTCPeerConnectionIceEvent, RTCPeerConnectionIceErrorEvent, RTCTrackEvent, RTCDataChannelEvent } = rt.interfaces;
    const [transport, type] = what.split('.');
    if (type) {
      if (this.transports.has(transport)) fireTransportEvent(this.transports.get(transport), type, given[0]);
      return;
    }
    switch (what) {
      case 'icecandidate': {
        const candidate = given[0] && candidateOf(given[0]);
        wrapper.dispatchEvent(new RTCPeerConnectionIceEvent(what, { candidate, url: given[0]?.url ?? null }));
        break;
      }
      case 'icecandidateerror':
        wrapper.dispatchEvent(new RTCPeerConnectionIceErrorEvent(what, given[0]));
        break;
      case 'track': {
        const [id, , streams] = given;
        const transceiver = this.transceiver(id);
        const { receiver } = rt.of(transceiver);
        const init = { receiver, track: rt.of(receiver).track, transceiver, streams: streams.map((s) => this.stream(s)) };
        wrapper.dispatchEvent(new RTCTrackEvent(what, init));
        break;
      }
      case 'streamtrack': {
        const [stream, track, added] = given;
        rt.of(this.stream(stream)).change(wrapTrack(track), added);
        break;
      }
      case 'datachannel':
        wrapper.dispatchEvent(new RTCDataChannelEvent(what, { channel: createChannel(this, given[0]) }));
        break;
      default:
        wrapper.dispatchEvent(new Event(what));
    }
  }

  stream(id) {
    if (!this.streams.has(id)) this.streams.set(id, remoteStream(id));
    return this.streams.get(id);
  }
}

// The callbacks of old: the promise says nothing.
function legacy(promise, success, failure) {
  promise.then((value) => success(value), (error) => failure(error));
  return Promise.resolve();
}

rt.implement('RTCPeerConnection', PeerConnection);
