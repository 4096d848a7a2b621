'use strict';
// RTCIceTransport, RTCDtlsTransport, RTCSctpTransport. The first ones (section -1) are those of everything that is bundled;
// a section that has, or may get, transports of its own is named by its index.

const rt = require('./idl.js');
const { native, toException } = require('./native.js');
const { candidateOf } = require('./values.js');

class IceTransport {
  constructor(pc, section) {
    this.pc = pc;
    this.section = section;
    this.candidates = new Map();
    this.pair = null;
  }
  ask(what) { return native[what](this.pc.native, this.section); }
  get role() { return this.ask('iceRole'); }
  get component() { return 'rtp'; }
  get state() { return this.ask('iceState'); }
  get gatheringState() { return this.ask('iceGathererState'); }

  candidate(given) {
    const key = JSON.stringify(given);
    if (!this.candidates.has(key)) this.candidates.set(key, candidateOf(given));
    return this.candidates.get(key);
  }
  getLocalCandidates() { return this.ask('iceLocalCandidates').map((c) => this.candidate(c)); }
  getRemoteCandidates() { return this.ask('iceRemoteCandidates').map((c) => this.candidate(c)); }
  getSelectedCandidatePair() {
    const given = this.ask('iceSelectedPair');
    if (!given) return null;
    const key = JSON.stringify(given);
    if (this.pair?.key !== key) {
      const state = { local: this.candidate(given.local), remote: this.candidate(given.remote) };
      this.pair = { key, wrapper: rt.create('RTCIceCandidatePair', state) };
    }
    return this.pair.wrapper;
  }
  getLocalParameters() { return this.ask('iceLocalParameters'); }
  getRemoteParameters() { return this.ask('iceRemoteParameters'); }
}

class DtlsTransport {
  constructor(pc, section) {
    this.pc = pc;
    this.section = section;
  }
  get iceTransport() { return this.pc.transport('ice', this.section); }
  get state() { return native.dtlsState(this.pc.native, this.section); }
  getRemoteCertificates() { return native.dtlsRemoteCertificates(this.pc.native, this.section); }
}

class SctpTransport {
  constructor(pc) {
    this.pc = pc;
  }
  get transport() { return this.pc.transport('dtls', native.sctpTransportOf(this.pc.native)); }
  get state() { return native.sctpState(this.pc.native); }
  // W3C 6.1.1.1: without a remote description that says otherwise it is 65536.
  get maxMessageSize() { return native.sctpMaxMessageSize(this.pc.native) ?? 65536; }
  get maxChannels() { return native.sctpMaxChannels(this.pc.native); }
}

const kinds = {
  ice: ['RTCIceTransport', IceTransport],
  dtls: ['RTCDtlsTransport', DtlsTransport],
  sctp: ['RTCSctpTransport', SctpTransport],
};

function createTransport(kind, pc, section) {
  const [name, State] = kinds[kind];
  return rt.create(name, new State(pc, section));
}

function fireTransportEvent(wrapper, type, error) {
  const event = type === 'error'
    ? new rt.interfaces.RTCErrorEvent('error', { error: toException(error) }) : new Event(type);
  wrapper.dispatchEvent(event);
}

module.exports = { createTransport, fireTransportEvent };
