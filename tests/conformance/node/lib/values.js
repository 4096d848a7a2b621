'use strict';
// Objects that are values: descriptions, candidates, errors, certificates, statistics.

const rt = require('./idl.js');
const { native } = require('./native.js');

class SessionDescription {
  constructor(wrapper, init) {
    this.type = init.type;
    this.sdp = init.sdp ?? '';
  }
}

const noAttributes = { foundation: null, component: null, priority: null, address: null, protocol: null, port: null,
  type: null, tcpType: null, relatedAddress: null, relatedPort: null };

class IceCandidate {
  constructor(wrapper, init) {
    if (init.sdpMid === null && init.sdpMLineIndex === null) {
      throw new TypeError('RTCIceCandidate: sdpMid and sdpMLineIndex are both null');
    }
    for (const name of ['candidate', 'sdpMid', 'sdpMLineIndex', 'usernameFragment', 'relayProtocol', 'url']) {
      this[name] = init[name] ?? null;
    }
    this.candidate ??= '';
    const parsed = this.candidate === '' ? null : native.parseCandidate(this.candidate);
    Object.assign(this, noAttributes, parsed ?? {});
    if (parsed) this.component = parsed.component === 2 ? 'rtcp' : 'rtp';
  }

  toJSON() {
    const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = this;
    return { candidate, sdpMid, sdpMLineIndex, usernameFragment };
  }
}

/// From the library's candidate.
function candidateOf(given) {
  return new rt.interfaces.RTCIceCandidate(given);
}

class RtcError {
  static exceptionName = 'OperationError';
  constructor(wrapper, init) {
    this.errorDetail = init.errorDetail;
    for (const name of ['sdpLineNumber', 'sctpCauseCode', 'receivedAlert', 'sentAlert']) this[name] = init[name] ?? null;
  }
}

class OverconstrainedError {
  static exceptionName = 'OverconstrainedError';
  constructor(wrapper, constraint) {
    this.constraint = constraint;
  }
}

class Certificate {
  constructor(handle) {
    this.native = handle;
  }
  get expires() { return native.certificateExpires(this.native); }
  getFingerprints() { return native.certificateFingerprints(this.native); }
}

// Web Cryptography's "normalize an algorithm" for generateKey, as far as certificates go.
function certificateKey(algorithm) {
  const given = typeof algorithm === 'string' ? { name: algorithm } : algorithm;
  if (given.name === undefined) throw new TypeError('generateCertificate: the algorithm has no name');
  const unsupported = (what) => new DOMException(`generateCertificate: ${what}`, 'NotSupportedError');
  const name = String(given.name).toUpperCase();
  if (name === 'ECDSA') {
    if (given.namedCurve === undefined) throw unsupported('ECDSA needs a namedCurve');
    if (String(given.namedCurve) !== 'P-256') throw unsupported(`the curve ${given.namedCurve} is not supported`);
    return 'ECDSA';
  }
  if (name === 'RSASSA-PKCS1-V1_5') {
    const hash = typeof given.hash === 'object' && given.hash !== null ? given.hash.name : given.hash;
    if (given.modulusLength === undefined || given.publicExponent === undefined || hash === undefined) {
      throw unsupported('RSA needs modulusLength, publicExponent and hash');
    }
    if (String(hash).toUpperCase() !== 'SHA-256') throw unsupported(`the hash ${hash} is not supported`);
    const exponent = Array.from(given.publicExponent).reduce((sum, byte) => sum * 256 + byte, 0);
    // Weaker keys than 2048 bits no peer should take; stronger ones are not made.
    if (exponent !== 65537 || given.modulusLength > 2048) throw unsupported('RSA keys have 2048 bits and the exponent 65537');
    return 'RSA';
  }
  throw unsupported(`the algorithm ${given.name} is not supported`);
}

const month = 30 * 86400 * 1000;

async function generateCertificate(algorithm) {
  const key = certificateKey(algorithm);
  let valid = month;
  if (typeof algorithm === 'object' && algorithm.expires !== undefined) {
    valid = rt.types.integer('unsigned long long', 'enforce')(algorithm.expires, 'generateCertificate: expires');
  }
  valid = Math.min(valid, 365 * 86400 * 1000);
  return rt.create('RTCCertificate', new Certificate(native.certificateGenerate(valid, key === 'RSA')));
}

class StatsReport {
  constructor(list) {
    this.map = new Map(list.map(({ id, type, timestamp, members }) => [id, { id, timestamp, type, ...members }]));
  }
}
// webrtc-stats, section 5: streams end with the connection, and so do their objects. The library goes on telling how they
// were.
const streams = new Set(['inbound-rtp', 'outbound-rtp', 'remote-inbound-rtp', 'remote-outbound-rtp', 'media-playout']);
function statsReport(list, closed) {
  return rt.create('RTCStatsReport', new StatsReport(closed ? list.filter(({ type }) => !streams.has(type)) : list));
}

rt.implement('RTCSessionDescription', SessionDescription);
rt.implement('RTCIceCandidate', IceCandidate);
rt.implement('RTCError', RtcError);
rt.implement('OverconstrainedError', OverconstrainedError);
rt.implement('RTCCertificate', Certificate);
rt.implement('RTCStatsReport', StatsReport);

module.exports = { candidateOf, generateCertificate, statsReport };
