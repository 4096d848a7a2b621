'use strict';
// RTCIceTransport, RTCDtlsTransport, RTCSctpTransport: one of each per connection, as everything is bundled. Sections that
// would be alone without bundling have further ones as long as an offer is out, on which nothing happens.

const rt = require('./idl.js');
const { native, toException } = require('./native.js');
const { candidateOf } = require('./values.js');

class IceTransport {
  constructor(pc) {
    this.pc = pc;
    this.candidates = new Map();
    this.pair = null;
  }
  get role() { return native.iceRole(this.pc.native); }
  get component() { return 'rtp'; }
  get state() { return native.iceState(this.pc.native); }
  get gatheringState() { return native.iceGathererState(this.pc.native); }

  candidate(given) {
    const key = JSON.stringify(given);
    if (!this.candidates.has(key)) this.candidates.set(key, candidateOf(given));
    return this.candidates.get(key);
  }
  getLocalCandidates() { return native.iceLocalCandidates(this.pc.native).map((c) => this.candidate(c)); }
  getRemoteCandidates() { return native.iceRemoteCandidates(this.pc.native).map((c) => this.candidate(c)); }
  getSelectedCandidatePair() {
    const given = native.iceSelectedPair(this.pc.native);
    if (!given) return null;
    const key = JSON.stringify(given);
    if (this.pair?.key !== key) {
      const state = { local: this.candidate(given.local), remote: this.candidate(given.remote) };
      this.pair = { key, wrapper: rt.create('RTCIceCandidatePair', state) };
    }
    return this.pair.wrapper;
  }
  getLocalParameters() { return native.iceLocalParameters(this.pc.native); }
  getRemoteParameters() { return native.iceRemoteParameters(this.pc.native); }
}

class DtlsTransport {
  constructor(pc) {
    this.pc = pc;
  }
  get iceTransport() { return this.pc.transport('ice'); }
  get state() { return native.dtlsState(this.pc.native); }
  getRemoteCertificates() { return native.dtlsRemoteCertificates(this.pc.native); }
}

class OwnIceTransport {
  constructor(pc, section) {
    this.pc = pc;
    this.section = section;
  }
  get role() { return native.iceRole(this.pc.native); }
  get component() { return 'rtp'; }
  get state() { return native.ownState(this.pc.native, this.section); }
  get gatheringState() { return 'new'; }
  getLocalCandidates() { return []; }
  getRemoteCandidates() { return []; }
  getSelectedCandidatePair() { return null; }
  getLocalParameters() { return native.iceLocalParameters(this.pc.native); }
  getRemoteParameters() { return null; }
}

class OwnDtlsTransport {
  constructor(pc, section) {
    this.pc = pc;
    this.section = section;
  }
  get iceTransport() { return this.pc.transport('ice', this.section); }
  get state() { return native.ownState(this.pc.native, this.section); }
  getRemoteCertificates() { return []; }
}

class SctpTransport {
  constructor(pc) {
    this.pc = pc;
  }
  get transport() { return this.pc.transport('dtls', native.sctpTransportOf(this.pc.native)); }
  get state() { return native.sctpState(this.pc.native); }
  get maxMessageSize() { return native.sctpMaxMessageSize(this.pc.native) ?? Infinity; }
  get maxChannels() { return native.sctpMaxChannels(this.pc.native); }
}

const kinds = {
  ice: ['RTCIceTransport', IceTransport, OwnIceTransport],
  dtls: ['RTCDtlsTransport', DtlsTransport, OwnDtlsTransport],
  sctp: ['RTCSctpTransport', SctpTransport],
};

function createTransport(kind, pc, section) {
  const [name, State, Own] = kinds[kind];
  return rt.create(name, section >= 0 ? new Own(pc, section) : new State(pc));
}

function fireTransportEvent(wrapper, type, error) {
  const event = type === 'error'
    ? new rt.interfaces.RTCErrorEvent('error', { error: toException(error) }) : new Event(type);
  wrapper.dispatchEvent(event);
}

module.exports = { createTransport, fireTransportEvent };
