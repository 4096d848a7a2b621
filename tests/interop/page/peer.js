// The browser's side of the protocol in README.md. window.peerCall(command, arguments) resolves to a JSON value;
// happenings are reported through window.emitEvent, which the host installs.
import { Channel } from './channels.js';
import { makeSource, Sink } from './media.js';

const peers = new Map(); // name -> {name, pc, sinks: mid -> Sink, sources: kind -> source, incomingMode}
const channels = new Map(); // name -> Channel
const sleep = ms => new Promise(done => setTimeout(done, ms));
const emit = event => window.emitEvent(event);
const describe = d => d && { type: d.type, sdp: d.sdp };

function need(map, name, what) {
  if (!map.has(name)) throw new Error(`no ${what} "${name}"`);
  return map.get(name);
}
const peer = args => need(peers, args.pc ?? 'pc', 'pc');
const channel = args => need(channels, args.dc, 'dc');

function watch(p) {
  const { pc, name } = p;
  pc.onicecandidate = e => emit({ event: 'candidate', pc: name, candidate: e.candidate && e.candidate.toJSON() });
  pc.onicecandidateerror = e => emit({ event: 'candidateerror', pc: name, code: e.errorCode, text: e.errorText });
  pc.onnegotiationneeded = () => emit({ event: 'negotiationneeded', pc: name });
  for (const kind of ['connection', 'iceConnection', 'iceGathering', 'signaling']) {
    pc.addEventListener(`${kind.toLowerCase()}statechange`, () => emit({ event: 'state', pc: name, kind, value: pc[`${kind}State`] }));
  }
  pc.ontrack = ({ track, transceiver, streams }) => {
    const { mid } = transceiver;
    p.sinks.get(mid)?.close();
    p.sinks.set(mid, new Sink(track, mid));
    emit({ event: 'track', pc: name, mid, kind: track.kind, id: track.id, streams: streams.map(s => s.id) });
    track.onmute = () => emit({ event: 'mute', pc: name, mid, kind: track.kind });
    track.onunmute = () => emit({ event: 'unmute', pc: name, mid, kind: track.kind });
    track.onended = () => emit({ event: 'ended', pc: name, mid, kind: track.kind });
  };
  pc.ondatachannel = e => {
    let dc = e.channel.label || 'dc';
    for (let i = 2; channels.has(dc); i++) dc = `${e.channel.label}#${i}`;
    const found = new Channel(name, dc, e.channel, p.incomingMode);
    channels.set(dc, found);
    emit({ event: 'datachannel', pc: name, ...found.describe() });
  };
}

const transceiverOf = (p, kind) =>
  p.pc.getTransceivers().find(t => t.receiver.track.kind === kind && t.currentDirection !== 'stopped' && t.direction !== 'stopped');

/// Codec names in order of preference, e.g. ["VP9", "rtx"]; all others are left out.
function preferCodecs(transceiver, kind, names) {
  const all = RTCRtpReceiver.getCapabilities(kind).codecs;
  const has = (codec, name) => codec.mimeType.split('/')[1].toLowerCase() === name.toLowerCase();
  transceiver.setCodecPreferences(names.flatMap(name => all.filter(codec => has(codec, name))));
}

const commands = {
  create({ pc: name = 'pc', config = {} }) {
    const p = { name, pc: new RTCPeerConnection(config), sinks: new Map(), sources: new Map() };
    peers.set(name, p);
    watch(p);
  },
  async createOffer(args) {
    const { pc } = peer(args);
    const offer = await pc.createOffer(args.options);
    if (args.set) await pc.setLocalDescription(offer);
    return describe(offer);
  },
  async createAnswer(args) {
    const { pc } = peer(args);
    const answer = await pc.createAnswer();
    if (args.set) await pc.setLocalDescription(answer);
    return describe(answer);
  },
  setLocal: args => peer(args).pc.setLocalDescription(args.desc),
  setRemote: args => peer(args).pc.setRemoteDescription(args.desc),
  async localDescription(args) {
    const { pc } = peer(args);
    while (args.gathered && pc.iceGatheringState !== 'complete') await sleep(10);
    return describe(pc.localDescription);
  },
  addCandidate: args => peer(args).pc.addIceCandidate(args.candidate || undefined),
  restartIce: args => peer(args).pc.restartIce(),
  async wait(args) {
    const { kind = 'connection', value = 'connected', timeout = 15000 } = args;
    const { pc } = peer(args);
    const end = performance.now() + timeout;
    while (pc[`${kind}State`] !== value) {
      if (performance.now() > end) throw new Error(`timeout: ${kind} is ${pc[`${kind}State`]}`);
      await sleep(5);
    }
  },

  async addTrack(args) {
    const { kind, codecs, direction = 'sendrecv', sendEncodings } = args;
    const p = peer(args);
    const source = await makeSource(args);
    p.sources.set(kind, source);
    const { track } = source;
    const stream = new MediaStream([track]);
    // An offered or emptied transceiver of that kind is used first, as addTrack() of the specification does.
    let transceiver = p.pc.getTransceivers().find(t => t.receiver.track.kind === kind && !t.sender.track && t.direction !== 'stopped');
    if (transceiver) {
      await transceiver.sender.replaceTrack(track);
      transceiver.direction = direction;
      transceiver.sender.setStreams?.(stream);
    } else {
      transceiver = p.pc.addTransceiver(track, { direction, sendEncodings, streams: [stream] });
    }
    if (codecs) preferCodecs(transceiver, kind, codecs);
    return { trackId: track.id, settings: track.getSettings() };
  },
  removeTrack(args) {
    const p = peer(args);
    const sender = p.pc.getSenders().find(s => s.track?.kind === args.kind);
    sender.track.stop();
    p.pc.removeTrack(sender);
  },
  async replaceTrack(args) {
    const p = peer(args);
    const sender = p.pc.getSenders().find(s => s.track?.kind === args.kind);
    const source = await makeSource(args);
    const former = sender.track;
    await sender.replaceTrack(source.track);
    former.stop();
    p.sources.set(args.kind, source);
  },
  dtmf(args) {
    const sender = peer(args).pc.getSenders().find(s => s.dtmf?.canInsertDTMF);
    sender.dtmf.insertDTMF(args.tones, args.duration ?? 100, args.gap ?? 70);
  },
  stopTransceiver: args => transceiverOf(peer(args), args.kind).stop(),
  addTransceiver(args) {
    const { kind, direction = 'recvonly', sendEncodings, codecs } = args;
    const transceiver = peer(args).pc.addTransceiver(kind, { direction, sendEncodings });
    if (codecs) preferCodecs(transceiver, kind, codecs);
  },
  setCodecs: args => preferCodecs(transceiverOf(peer(args), args.kind), args.kind, args.codecs),
  async setSender(args) {
    const { pc: _pc, kind = 'video', encoding = 0, degradationPreference, ...parameters } = args;
    const sender = peer(args).pc.getSenders().find(s => s.track?.kind === kind);
    const current = sender.getParameters();
    if (degradationPreference) current.degradationPreference = degradationPreference;
    Object.assign(current.encodings[encoding], parameters);
    await sender.setParameters(current);
  },
  transceivers: args =>
    peer(args).pc.getTransceivers().map(t => ({ mid: t.mid, kind: t.receiver.track.kind, direction: t.direction, currentDirection: t.currentDirection })),

  openChannel(args) {
    const { dc, label = dc, init, mode } = args;
    const p = peer(args);
    const opened = new Channel(p.name, dc, p.pc.createDataChannel(label, init), mode);
    channels.set(dc, opened);
    return opened.describe();
  },
  incoming(args) {
    peer(args).incomingMode = args.mode;
  },
  mode(args) {
    channel(args).mode = args.mode;
  },
  send: args => channel(args).send(args),
  sendPlan: args => channel(args).sendPlan(args),
  received: args => channel(args).received(),
  ping: args => channel(args).ping(args),
  blast: args => channel(args).blast(args),
  closeChannel: args => channel(args).channel.close(),
  sctp: args => ({ maxMessageSize: peer(args).pc.sctp?.maxMessageSize ?? 0 }),

  async stats(args) {
    const all = [...(await peer(args).pc.getStats()).values()];
    return all.filter(s => !args.types || args.types.includes(s.type));
  },
  async selected(args) {
    const all = [...(await peer(args).pc.getStats()).values()];
    const byId = id => all.find(s => s.id === id);
    const transport = all.find(s => s.type === 'transport') || {};
    const pair = byId(transport.selectedCandidatePairId) || all.find(s => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
    const candidate = id => {
      const c = byId(id);
      return c && { type: c.candidateType, address: c.address, port: c.port, protocol: c.protocol };
    };
    return {
      local: pair && candidate(pair.localCandidateId),
      remote: pair && candidate(pair.remoteCandidateId),
      rtt_s: pair?.currentRoundTripTime,
      tls: transport.tlsVersion,
      dtlsCipher: transport.dtlsCipher,
      dtlsRole: transport.dtlsRole,
      srtp: transport.srtpCipher,
      codecs: all.filter(s => s.type === 'inbound-rtp').map(s => ({ kind: s.kind, mime: byId(s.codecId)?.mimeType, frames: s.framesDecoded, lost: s.packetsLost, nack: s.nackCount, pli: s.pliCount })),
    };
  },
  // What has ended sounds no more, and cannot be recorded.
  media: args => Promise.all([...peer(args).sinks.values()].filter(sink => sink.kind === 'video' || sink.track.readyState === 'live').map(sink => sink.measure())),
  frame(args) {
    const { sinks } = peer(args);
    const sink = args.mid !== undefined ? need(sinks, args.mid, 'mid') : [...sinks.values()].findLast(s => s.kind === 'video');
    if (!sink) throw new Error('no video received');
    return args.png ? { png: sink.png() } : sink.frame();
  },
  sourceFrame: args => need(peer(args).sources, 'video', 'source').frame(args.number),
  capabilities: () =>
    Object.fromEntries(['audio', 'video'].map(kind => [kind, { send: RTCRtpSender.getCapabilities(kind), receive: RTCRtpReceiver.getCapabilities(kind) }])),
  /// Any script, for what no command covers.
  eval: args => new (async () => {}).constructor('peers', 'channels', 'emit', args.code)(peers, channels, emit),

  close(args) {
    const p = peer(args);
    p.pc.close();
    p.sinks.forEach(sink => sink.close());
    p.sources.forEach(source => clearInterval(source.timer));
    peers.delete(p.name);
  },
};

window.peerCall = async (command, args) => {
  if (!Object.hasOwn(commands, command)) throw new Error(`unknown command ${command}`);
  return (await commands[command](args)) ?? null;
};
