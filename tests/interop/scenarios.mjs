// What two peers do together. Each scenario gets the offering peer first, and a context:
//   say(...)                progress, with the time
//   clip                    whether source "clip" is there
//   measure(object)         figures for the report
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { fromBase64, fullRange, psnrDb } from './page/content.js';
import { channelScenarios } from './channel_scenarios.mjs';
import { extensionScenarios } from './extension_scenarios.mjs';
import { layerScenarios } from './layer_scenarios.mjs';
import { Signaling } from './peer.mjs';
import { configurationWith, connected, eventually, sleep, start } from './steps.mjs';

const WIDTH = 640;
const HEIGHT = 360;
const FPS = 30;
const VIDEO_BITRATE = 1_500_000;
const MIN_PSNR_DB = 28;
const TONE_HZ = [880, 440]; // of the offerer, of the answerer

export const toneOf = index => TONE_HZ[index];
const addAudio = (peer, index) => peer.cmd('addTrack', { kind: 'audio', source: 'tone', frequency: TONE_HZ[index] });

async function addVideo(peer, context, more = {}) {
  const source = context.clip ? 'clip' : 'pattern';
  await peer.cmd('addTrack', { kind: 'video', source, width: WIDTH, height: HEIGHT, fps: FPS, ...more });
}

const limitVideo = peer => peer.cmd('setSender', { kind: 'video', maxBitrate: VIDEO_BITRATE, degradationPreference: 'maintain-resolution' });
const latest = async (peer, kind) => (await peer.cmd('media')).filter(m => m.kind === kind).at(-1);

// ---- checks -------------------------------------------------------------------------------------

async function hears(peer, hz) {
  await eventually(`${peer.name} hears ${hz} Hz`, 20000, async () => {
    const sound = await latest(peer, 'audio');
    if (!sound) return 'no track';
    return sound.rms > 0.01 && Math.abs(sound.peakHz - hz) <= 20 ? null : JSON.stringify(sound);
  });
}

/// The tone that comes back from a peer that only echoes is one's own.
const toneHeardBy = (peers, index) => TONE_HZ[peers[1 - index].info.echoesMedia ? index : 1 - index];

/// Packets of a kind reach a peer without codecs, and go back.
async function echoes(peer, kind) {
  const before = (await latest(peer, kind)) ?? { packets: 0, sentBack: 0 };
  let now;
  await eventually(`${peer.name} gets ${kind} and sends it back`, 15000, async () => {
    now = await latest(peer, kind);
    return now?.packets > before.packets + 20 && now.sentBack > before.sentBack + 20 ? null : JSON.stringify(now ?? 'no track');
  });
  return now;
}

async function soundFlows(peers) {
  for (const [index, peer] of peers.entries()) {
    if (peer.info.echoesMedia) await echoes(peer, 'audio');
    else await hears(peer, toneHeardBy(peers, index));
  }
}

/// Pictures of the right size arrive at the source's rate.
async function sees(peer, fps = FPS) {
  await eventually(`${peer.name} sees ${WIDTH}x${HEIGHT}`, 30000, async () => {
    const video = await latest(peer, 'video');
    return video?.width === WIDTH && video?.height === HEIGHT ? null : JSON.stringify(video ?? 'no track');
  });
  let rate = 0;
  await eventually(`${peer.name} sees ${fps} frames per second`, 20000, async () => {
    const before = await latest(peer, 'video');
    const started = Date.now();
    await sleep(2000);
    const { frames } = await latest(peer, 'video');
    rate = ((frames - before.frames) * 1000) / (Date.now() - started);
    return rate > fps * 0.75 && rate < fps * 1.25 ? null : `${rate.toFixed(1)}`;
  });
  return rate;
}

/// Received frames resemble those of the same number at the source.
async function recognises(receiver, sender) {
  const values = [];
  await eventually(`${receiver.name} recognises what ${sender.name} sends`, 30000, async () => {
    const got = await receiver.cmd('frame');
    if (got.number === null || got.width !== WIDTH || got.height !== HEIGHT) return `unreadable, ${got.width}x${got.height}`;
    const source = await sender.cmd('sourceFrame', { number: got.number }).catch(error => error);
    if (source instanceof Error) return source.message;
    const [shown, sent] = [fromBase64(got.luma), fromBase64(source.luma)];
    // Chromium codes a canvas in full range; VP8 does not carry that, so a decoder hands out what was coded.
    const value = Math.max(psnrDb(shown, sent), psnrDb(shown, fullRange(sent)));
    values.push(value);
    const lastTen = values.slice(-10);
    return lastTen.length === 10 && Math.min(...lastTen) >= MIN_PSNR_DB ? null : `PSNR ${value.toFixed(1)} dB`;
  });
  const last = values.slice(-10);
  return { mean: last.reduce((x, y) => x + y) / last.length, min: Math.min(...last) };
}

async function mediaFlows(peers, context) {
  const figures = {};
  for (const [index, peer] of peers.entries()) {
    const other = peers[1 - index];
    if (peer.info.echoesMedia) {
      const sound = await echoes(peer, 'audio');
      const video = await echoes(peer, 'video');
      assert(video.keyFrames > 0 && video.width === WIDTH && video.height === HEIGHT, JSON.stringify(video));
      context.say(`${peer.name} echoes: ${sound.packets} packets of sound, ${video.packets} of ${video.frames} pictures`);
      continue;
    }
    await hears(peer, toneHeardBy(peers, index));
    const fps = await sees(peer, other.info.fps ?? FPS);
    const psnr = await recognises(peer, other.info.echoesMedia ? peer : other);
    context.say(`${peer.name} hears and sees ${other.name}: ${fps.toFixed(1)} fps, PSNR ${psnr.mean.toFixed(1)} dB`);
    const role = index === 0 ? 'offerer' : 'answerer';
    figures[`${role}_received_video_fps`] = fps;
    figures[`${role}_received_video_psnr_db_mean`] = psnr.mean;
    figures[`${role}_received_video_psnr_db_min`] = psnr.min;
  }
  context.measure(figures);
}

// ---- scenarios ----------------------------------------------------------------------------------

/// 1000 messages of 0 B to 256 KiB each way at once; channel parameters; clean close.
async function messages(a, b, context) {
  const signaling = await start(a, b);
  await a.cmd('openChannel', { dc: 'bulk', mode: 'count' });
  await a.cmd('openChannel', { dc: 'lossy', init: { ordered: false, maxRetransmits: 0, protocol: 'raw' } });
  await a.cmd('openChannel', { dc: 'agreed', init: { negotiated: true, id: 42 }, mode: 'event' });
  await b.cmd('incoming', { mode: 'count' });
  await b.cmd('openChannel', { dc: 'agreed', init: { negotiated: true, id: 42 }, mode: 'echo' });
  await signaling.negotiate(a);
  await connected(a, b);
  context.say('connected');

  const lossy = await b.until('datachannel', e => e.label === 'lossy');
  assert.deepEqual([lossy.ordered, lossy.maxRetransmits, lossy.protocol], [false, 0, 'raw']);
  await a.until('open', e => e.dc === 'agreed');
  const ping = await a.cmd('ping', { dc: 'agreed', count: 50, size: 1000 });
  assert.equal(ping.wrong, 0);
  context.measure({ echo_rtt_ms_p50: ping.rtt_ms_p50 });

  await b.until('datachannel', e => e.label === 'bulk');
  const started = Date.now();
  const count = Math.min(...[a, b].map(peer => peer.info.messages ?? 1000));
  const max = Math.min(...[a, b].map(peer => peer.info.maxMessage ?? 262144));
  const [fromA, fromB] = await Promise.all([a, b].map((peer, i) => peer.cmd('sendPlan', { dc: 'bulk', seed: i + 1, count, max })));
  for (const [peer, sent] of [[a, fromB], [b, fromA]]) {
    assert.equal(sent.messages, count);
    await eventually(`${peer.name} has all messages`, 30000, async () => {
      const { state: _state, buffered: _buffered, ...got } = await peer.cmd('received', { dc: 'bulk' });
      return isDeepStrictEqual(got, sent) ? null : JSON.stringify({ got, sent });
    });
  }
  const seconds = (Date.now() - started) / 1000;
  context.say(`${count} messages each way in ${seconds.toFixed(1)} s, hashes equal`);
  context.measure({ messages_both_ways_s: seconds, messages_rate_mbps: ((fromA.bytes + fromB.bytes) * 8) / seconds / 1e6 });

  await b.cmd('closeChannel', { dc: 'bulk' });
  await Promise.all([a, b].map(peer => peer.until('close', e => e.dc === 'bulk')));
  await a.cmd('close');
  await b.until('close', e => e.dc === 'agreed', 10000);
  context.say('closed on both sides');
}

/// Audio, video and data both ways.
const media = (codecs, more) => async (a, b, context) => {
  const signaling = await start(a, b, more);
  await a.cmd('openChannel', { dc: 'chat' });
  await b.cmd('incoming', { mode: 'echo' });
  await addAudio(a, 0);
  await addVideo(a, context, { codecs });
  await signaling.negotiate(a, async () => {
    await addAudio(b, 1);
    await addVideo(b, context, codecs && more ? { codecs } : {});
  });
  await connected(a, b);
  await limitVideo(a);
  await limitVideo(b);
  await a.until('open', e => e.dc === 'chat');
  context.say('connected');
  await mediaFlows([a, b], context);
  assert.equal((await a.cmd('ping', { dc: 'chat', count: 10 })).wrong, 0);
  for (const peer of [a, b]) {
    const { codecs: used } = await peer.cmd('selected');
    if (codecs) assert(used.some(c => c.mime === `video/${codecs[0]}`), `${peer.name} receives ${JSON.stringify(used)}`);
    context.say(peer.name, JSON.stringify(await peer.cmd('selected')));
  }
};

/// As media, between sides that do not bundle: each section has a transport of its own.
const apart = policy => async (a, b, context) => {
  for (const peer of [a, b]) await peer.cmd('create', { config: configurationWith({ bundlePolicy: policy }) });
  const signaling = new Signaling(a, b);
  signaling.bundles = false;
  await a.cmd('openChannel', { dc: 'chat' });
  await b.cmd('incoming', { mode: 'echo' });
  await addAudio(a, 0);
  await addVideo(a, context);
  await signaling.negotiate(a, async () => {
    await addAudio(b, 1);
    await addVideo(b, context, {});
  });
  await connected(a, b);
  await limitVideo(a);
  await limitVideo(b);
  await a.until('open', e => e.dc === 'chat');
  for (const peer of [a, b]) {
    const transports = await peer.cmd('stats', { types: ['transport'] });
    assert.equal(transports.length, 3, `${peer.name}: ${JSON.stringify(transports)}`);
    for (const { dtlsState } of transports) assert.equal(dtlsState, 'connected');
  }
  context.say('connected, three times');
  await mediaFlows([a, b], context);
  assert.equal((await a.cmd('ping', { dc: 'chat', count: 10 })).wrong, 0);
};

/// Sound of 7 kHz, with a clock that runs at half of its rate.
async function g722(a, b, context) {
  const signaling = await start(a, b, { codecs: 'more' });
  await addAudio(a, 0);
  await a.cmd('setCodecs', { kind: 'audio', codecs: ['G722'] });
  await signaling.negotiate(a, () => addAudio(b, 1));
  await connected(a, b);
  await soundFlows([a, b]);
  for (const peer of [a, b]) {
    const { codecs: used } = await peer.cmd('selected');
    assert(used.some(c => c.mime.toLowerCase() === 'audio/g722'), `${peer.name} receives ${JSON.stringify(used)}`);
    context.say(`${peer.name} hears by G.722`);
  }
}

/// Header extensions encrypted with the payload (RFC 9335), where no packet may show them.
async function cryptex(a, b, context) {
  const signaling = await start(a, b, { rtpHeaderEncryptionPolicy: 'require' });
  await addAudio(a, 0);
  await addVideo(a, context);
  await signaling.negotiate(a, async () => {
    await addAudio(b, 1);
    await addVideo(b, context);
  });
  await connected(a, b);
  for (const peer of [a, b]) {
    const { sdp } = await peer.cmd('localDescription', {});
    assert(sdp.includes('a=cryptex'), `${peer.name} does not speak of it`);
  }
  await limitVideo(a);
  await limitVideo(b);
  await mediaFlows([a, b], context);
}

/// Adds video to a running audio call, removes it, adds it again; then stops the transceiver and adds once more.
async function renegotiate(a, b, context) {
  const signaling = await start(a, b);
  await addAudio(a, 0);
  await signaling.negotiate(a, () => addAudio(b, 1));
  await connected(a, b);
  await hears(b, TONE_HZ[0]);
  context.say('audio call runs');
  for (const removal of ['removeTrack', 'stopTransceiver', null]) {
    await addVideo(a, context);
    await signaling.negotiate(a, () => addVideo(b, context));
    for (const peer of [a, b]) await limitVideo(peer);
    await Promise.all([sees(a), sees(b)]);
    await hears(a, TONE_HZ[1]);
    context.say('video added, both see it, sound goes on');
    if (!removal) break;
    for (const peer of [a, b]) if (removal === 'removeTrack') await peer.cmd(removal, { kind: 'video' });
    if (removal === 'stopTransceiver') await a.cmd(removal, { kind: 'video' });
    await signaling.negotiate(a);
    await sleep(500);
    const before = await latest(b, 'video');
    await sleep(1000);
    const after = await latest(b, 'video');
    assert(!after || after.frames - before.frames <= 1, `${b.name} still sees ${after?.frames - before?.frames} frames`);
    await hears(b, TONE_HZ[0]);
    context.say(`video ended by ${removal}, sound goes on`);
  }
}

/// A video call whose only section ends, so that no transport is left, and comes back: ended and offered again by the
/// offerer, by the answerer, and ended by the one to be offered again by the other.
async function lastSection(a, b, context) {
  const signaling = await start(a, b);
  const other = peer => (peer === a ? b : a);
  const call = async offerer => {
    await addVideo(offerer, context);
    const { offer, answer } = await signaling.negotiate(offerer, () => addVideo(other(offerer), context));
    await connected(a, b);
    for (const peer of [a, b]) await limitVideo(peer);
    const figures = {};
    for (const peer of [a, b]) {
      const fps = await sees(peer);
      const psnr = await recognises(peer, other(peer));
      const role = peer === a ? 'offerer' : 'answerer';
      figures[`${role}_received_video_fps`] = fps;
      figures[`${role}_received_video_psnr_db_min`] = psnr.min;
    }
    context.say(`${offerer.name} offered video:`, JSON.stringify(figures));
    context.measure(figures);
    for (const peer of [a, b]) {
      const { sdp } = peer === offerer ? offer : answer;
      if (peer.name === 'native') ufrags.add(sdp.match(/a=ice-ufrag:(\S+)/)[1]);
    }
  };
  // Firefox begins a new transport with the ICE credentials of the old.
  const ufrags = new Set();
  await call(a);
  for (const [ends, returns] of [[a, a], [b, b], [a, b]]) {
    await ends.cmd('stopTransceiver', { kind: 'video' });
    const { offer, answer } = await signaling.negotiate(ends);
    for (const { sdp } of [offer, answer]) assert.match(sdp, /^m=video 0 /m);
    for (const { sdp } of [offer, answer]) assert.doesNotMatch(sdp, /^m=\S+ [1-9]/m);
    await sleep(500);
    const before = await Promise.all([a, b].map(peer => latest(peer, 'video')));
    await sleep(1000);
    const after = await Promise.all([a, b].map(peer => latest(peer, 'video')));
    for (const [index, { name }] of [a, b].entries()) {
      const more = (after[index]?.frames ?? 0) - (before[index]?.frames ?? 0);
      assert(more <= 1, `${name} still sees ${more} frames`);
    }
    context.say(`${ends.name} stopped the only section`);
    await call(returns);
  }
  assert.equal(ufrags.size, 4, 'a section that comes back begins a transport of its own');
}

/// New ICE credentials while data and sound flow, offered by the first offerer or by the first answerer: the DTLS role
/// must be the one in force, or both ends must begin a new association. With slow answers a controlling answerer has
/// nominated before the offerer knows its credentials.
const restart = (byAnswerer, answerDelay = 0) => async (a, b, context) => {
  const signaling = await start(a, b);
  signaling.answerDelay = answerDelay;
  await a.cmd('openChannel', { dc: 'chat' });
  await b.cmd('incoming', { mode: 'echo' });
  await addAudio(a, 0);
  await signaling.negotiate(a, () => addAudio(b, 1));
  await connected(a, b);
  await a.until('open', e => e.dc === 'chat');
  const ufrag = ({ sdp }) => sdp.match(/a=ice-ufrag:(\S+)/)[1];
  const setup = ({ sdp }) => sdp.match(/a=setup:(\S+)/)[1];
  for (const round of [1, 2]) {
    const offerer = byAnswerer ? b : a;
    const before = ufrag(await offerer.cmd('localDescription', {}));
    await offerer.cmd('restartIce');
    const { offer, answer } = await signaling.negotiate(offerer);
    assert.notEqual(ufrag(offer), before);
    await connected(a, b);
    assert.equal((await a.cmd('ping', { dc: 'chat', count: 20 })).wrong, 0);
    await soundFlows([a, b]);
    context.say(`ICE restart ${round}, answered with setup:${setup(answer)}: data and sound go on`);
  }
};

const ROLLBACK = { type: 'rollback' };

/// Offers are taken back: by who made them, by who got them, and where two met.
async function rollback(a, b, context) {
  const signaling = await start(a, b);
  const state = async (peer, value) => peer.cmd('wait', { kind: 'signaling', value, timeout: 5000 });
  await addAudio(a, 0);
  await a.cmd('createOffer', { set: true });
  await state(a, 'have-local-offer');
  await a.cmd('setLocal', { desc: ROLLBACK });
  await state(a, 'stable');
  const refused = await a.cmd('createOffer', { set: true });
  await b.cmd('setRemote', { desc: refused });
  await state(b, 'have-remote-offer');
  await b.cmd('setRemote', { desc: ROLLBACK });
  await state(b, 'stable');
  assert.deepEqual(await b.cmd('transceivers'), []);
  await a.cmd('setLocal', { desc: ROLLBACK });
  context.say('offers rolled back at both ends');
  await signaling.negotiate(a, () => addAudio(b, 1));
  await connected(a, b);
  await hears(b, TONE_HZ[0]);
  await hears(a, TONE_HZ[1]);

  // Both offer at once, first pictures, then another path; each has been the polite one.
  for (const [polite, impolite] of [[b, a], [a, b]]) {
    const change = peer => (polite === b ? addVideo(peer, context) : peer.cmd('restartIce'));
    await change(polite);
    await polite.cmd('createOffer', { set: true });
    await change(impolite);
    await signaling.negotiate(impolite);
    await state(polite, 'stable');
    await signaling.negotiate(polite);
    await connected(a, b);
    for (const peer of [a, b]) await limitVideo(peer);
    await Promise.all([sees(a), sees(b)]);
    await hears(b, TONE_HZ[0]);
    context.say(`glare resolved by ${polite.name}`);
  }
}

/// Pictures are added and ended ten times; the section that ended is used again.
async function recycle(a, b, context) {
  const signaling = await start(a, b);
  await addAudio(a, 0);
  await signaling.negotiate(a, () => addAudio(b, 1));
  await connected(a, b);
  let sections = 0;
  for (let round = 1; round <= 10; round++) {
    const offerer = round % 2 === 1 ? a : b;
    const other = offerer === a ? b : a;
    await addVideo(offerer, context);
    const { offer } = await signaling.negotiate(offerer);
    const count = offer.sdp.match(/^m=/gm).length;
    sections = Math.max(sections, count);
    await limitVideo(offerer);
    await eventually(`${other.name} sees pictures of round ${round}`, 20000, async () => {
      const open = (await other.cmd('transceivers')).find(t => t.kind === 'video' && /recv/.test(t.currentDirection ?? ''));
      const video = (await other.cmd('media')).find(m => m.mid === open?.mid);
      return video?.width === WIDTH && video.frames > 5 ? null : JSON.stringify(video ?? 'no track');
    });
    await offerer.cmd('stopTransceiver', { kind: 'video' });
    await signaling.negotiate(offerer);
  }
  assert.equal(sections, 2, 'the section of what ended is used again');
  await hears(b, TONE_HZ[0]);
  await hears(a, TONE_HZ[1]);
  context.say('ten rounds in two sections, sound goes on');
}

/// Other tracks take the place of those that are being sent.
async function replace(a, b, context) {
  const signaling = await start(a, b);
  await addAudio(a, 0);
  await addVideo(a, context);
  await signaling.negotiate(a, async () => {
    await addAudio(b, 1);
    await addVideo(b, context);
  });
  await connected(a, b);
  await hears(b, TONE_HZ[0]);
  for (const [index, peer] of [a, b].entries()) {
    const other = index === 0 ? b : a;
    // Firefox's tone is that of its fake microphone, which has one.
    const frequency = peer.name === 'firefox' ? TONE_HZ[index] : TONE_HZ[index] + 220;
    await peer.cmd('replaceTrack', { kind: 'audio', source: 'tone', frequency });
    await peer.cmd('replaceTrack', { kind: 'video', source: 'pattern', width: WIDTH, height: HEIGHT, fps: FPS });
    await limitVideo(peer);
    await hears(other, frequency);
    await sees(other);
    context.say(`${peer.name} sends other tracks, ${other.name} hears and sees them`);
  }
}

/// Telephone events of the offerer sound at the answerer: the keys of a telephone have two frequencies each.
async function dtmf(a, b, context) {
  const signaling = await start(a, b);
  await addAudio(a, 0);
  await signaling.negotiate(a, () => addAudio(b, 1));
  await connected(a, b);
  await hears(b, TONE_HZ[0]);
  for (const [key, low, high] of [['1', 697, 1209], ['9', 852, 1477]]) {
    await a.cmd('dtmf', { tones: key, duration: 5000 });
    await eventually(`${b.name} hears the key ${key}`, 6000, async () => {
      const sound = await latest(b, 'audio');
      const near = hz => Math.abs(sound.peakHz - hz) <= 15;
      return sound.rms > 0.01 && (near(low) || near(high)) ? null : JSON.stringify(sound);
    });
    context.say(`${b.name} hears the key ${key}`);
    await sleep(5000);
  }
  await hears(b, TONE_HZ[0]);
}

/// Telephone events of the offerer are told to the answerer, a native peer: each once, and how long it lasted.
async function keys(a, b, context) {
  const signaling = await start(a, b);
  await addAudio(a, 0);
  await signaling.negotiate(a, () => addAudio(b, 1));
  await connected(a, b);
  await hears(b, TONE_HZ[0]);
  const tones = '1590*#AD';
  await a.cmd('dtmf', { tones, duration: 160, gap: 80 });
  await eventually(`${b.name} is told of the keys ${tones}`, 8000, async () => {
    const pressed = await b.cmd('keys');
    return pressed.map(k => k.key).join('') === tones ? null : JSON.stringify(pressed);
  });
  await sleep(500);
  const pressed = await b.cmd('keys');
  assert(pressed.length === tones.length, `each once: ${JSON.stringify(pressed)}`);
  // Browsers round up: of 100 ms they make 120, of 160 ms 240.
  for (const { key, ms } of pressed) assert(ms >= 140 && ms <= 290, `the key ${key} lasted ${ms} ms`);
  context.say(`${b.name} is told of ${JSON.stringify(pressed)}`);
  await hears(b, TONE_HZ[0]);
}

/// Sound and pictures encrypted end to end, by native peers; a wrong key shows nothing.
async function sframe(a, b, context) {
  const signaling = await start(a, b);
  const key = Array.from({ length: 16 }, (_, i) => 7 * i + 1);
  await addAudio(a, 0);
  await addVideo(a, context);
  await signaling.negotiate(a, async () => {
    await addAudio(b, 1);
    await addVideo(b, context);
    await b.cmd('sframe', { key, sendKeyId: 2, receiveKeyId: 1 });
  });
  await connected(a, b);
  await sleep(1500);
  const unseen = await latest(b, 'video');
  assert(!unseen || unseen.frames === 0, 'what is not encrypted is not shown');
  await a.cmd('sframe', { key, sendKeyId: 1, receiveKeyId: 2 });
  for (const peer of [a, b]) await limitVideo(peer);
  await mediaFlows([a, b], context);
}

export const scenarios = { rollback, recycle, replace, dtmf, keys, sframe, messages, media: media(undefined), vp8: media(['VP8', 'rtx']), vp9: media(['VP9', 'rtx']), h264: media(['H264', 'rtx'], { codecs: 'more' }), h265: media(['H265', 'rtx'], { codecs: 'more' }), av1: media(['AV1', 'rtx'], { codecs: 'more' }), encoded_h264: media(['H264', 'rtx'], { codecs: 'own' }), encoded_h265: media(['H265', 'rtx'], { codecs: 'own' }), encoded_av1: media(['AV1', 'rtx'], { codecs: 'own' }), g722, cryptex, apart: apart('balanced'), apart_compat: apart('max-compat'), renegotiate, last_section: lastSection, restart: restart(false), restart_by_answerer: restart(true), restart_slowly: restart(true, 400), ...channelScenarios, ...layerScenarios, ...extensionScenarios };
