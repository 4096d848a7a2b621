// Header extensions: all that both sides know are agreed on, and what comes of them is looked at, both ways.
import assert from 'node:assert/strict';
import { connected, eventually, sleep, start } from './steps.mjs';

const URI = {
  audioLevel: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  captureTime: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  timing: 'http://www.webrtc.org/experiments/rtp-hdrext/video-timing',
  colorSpace: 'http://www.webrtc.org/experiments/rtp-hdrext/color-space',
  corruption: 'http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection',
  offset: 'urn:ietf:params:rtp-hdrext:toffset',
  dependencies: 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
};
const PLAYOUT_DELAY_MS = 400;
const NTP_TO_UNIX_MS = 2208988800000;

/// Makes a peer agree to every extension that it knows.
async function askForAll(peer) {
  if (peer.name === 'native') return peer.cmd('askForExtensions');
  const code = `for (const t of peers.get('pc').pc.getTransceivers()) {
    const all = t.getHeaderExtensionsToNegotiate();
    for (const e of all) e.direction = 'sendrecv';
    t.setHeaderExtensionsToNegotiate(all);
  }`;
  return peer.cmd('eval', { code });
}

const inbound = async peer => (await peer.cmd('stats', { types: ['inbound-rtp'] })).find(s => s.kind === 'video') ?? {};

/// What the browser tells of the sound and pictures that come.
const heardInBrowser = peer =>
  peer.cmd('eval', {
    code: `return peers.get('pc').pc.getReceivers().map(r => {
      const [s] = r.getSynchronizationSources();
      return { kind: r.track.kind, audioLevel: s?.audioLevel, captureTimestamp: s?.captureTimestamp };
    })`,
  });

/// Pictures of `width` are decoded at a steady rate.
async function decodes(peer, width, fps) {
  let rate = 0;
  await eventually(`${peer.name} decodes ${width} pixels at ${fps} fps`, 40000, async () => {
    const before = await inbound(peer);
    await sleep(1500);
    const now = await inbound(peer);
    rate = ((now.framesDecoded ?? 0) - (before.framesDecoded ?? 0)) / 1.5;
    return now.frameWidth === width && rate >= fps ? null : `${now.frameWidth} ${rate}`;
  });
  return rate;
}

async function call(a, b, video, withSound) {
  const signaling = await start(a, b, video.codecs?.[0] === 'AV1' ? { codecs: 'more' } : {});
  const source = { kind: 'video', source: 'pattern', width: 640, height: 360, fps: 30, ...video };
  const open = async (peer, more) => {
    if (withSound) await peer.cmd('addTrack', { kind: 'audio', source: 'tone', frequency: 880 });
    await peer.cmd('addTrack', { ...source, ...more });
    await askForAll(peer);
  };
  await open(a, {});
  const { answer } = await signaling.negotiate(a, () => (withSound ? open(b, { codecs: undefined }) : askForAll(b)));
  await connected(a, b);
  return answer.sdp;
}

/// Of what a native peer received from a browser.
function plausible(native, sdp) {
  const [sound] = native.filter(r => r.kind === 'audio');
  const [video] = native.filter(r => r.kind === 'video');
  const agreed = (of, uri) => of.negotiated.includes(uri) && sdp.includes(uri);
  assert(agreed(sound, URI.audioLevel) && sound.audioLevel > 0.05 && sound.audioLevel <= 1, `level ${sound.audioLevel}`);
  assert(agreed(video, URI.captureTime), 'abs-capture-time');
  for (const of of [sound, video]) {
    if (!agreed(of, URI.captureTime)) continue;
    // Both ends are on one machine, with one clock.
    assert(of.captureTimes > 20, `${of.kind}: ${of.captureTimes} capture times in ${of.frames} frames`);
    assert(of.captureAgeMs > -50 && of.captureAgeMs < 3000, `${of.kind} captured ${of.captureAgeMs} ms ago`);
    const shownAge = Date.now() - (of.captureTimestampMs - NTP_TO_UNIX_MS);
    assert(shownAge > -50 && shownAge < 6000, `${of.kind} shown was captured ${shownAge} ms ago`);
  }
  assert(agreed(video, URI.timing) && video.timings > 2, `${video.timings} timings`);
  const t = video.timing;
  assert(t.encodeStart <= t.encodeFinish && t.encodeFinish <= t.packetized && t.packetized <= t.leftPacer, JSON.stringify(t));
  assert(t.leftPacer < 3000, JSON.stringify(t));
  assert(agreed(video, URI.offset), 'transmission offsets');
  assert(agreed(video, URI.colorSpace), 'color-space');
  // A canvas: sRGB in full range.
  const { primaries, transfer, matrix, range } = video.colorSpace;
  assert.deepEqual([primaries, transfer, matrix, range], [1, 13, 1, 2]);
}

/// Sound and pictures both ways, with every extension that both sides know.
async function extensions(a, b, context) {
  const sdp = await call(a, b, {}, true);
  const native = [a, b].find(peer => peer.name === 'native');
  const browser = [a, b].find(peer => peer !== native);
  await Promise.all([a, b].map(peer => decodes(peer, 640, 18)));
  // Samples of pictures, color space and times come with key frames or once in a while.
  await sleep(3000);
  const told = await native.cmd('extensions');
  context.say('native was told', JSON.stringify(told));
  plausible(told, sdp);
  const received = await inbound(native);
  const sent = await inbound(browser);
  const score = stats => (stats.totalCorruptionProbability ?? 0) / (stats.corruptionMeasurements || 1);
  for (const [peer, stats] of [[native, received], [browser, sent]]) context.say(`${peer.name} measured corruption`, stats.corruptionMeasurements ?? 'never', score(stats));
  // Chromium 156 offers samples encrypted (RFC 6904), and sends only such; but it does not decrypt those that it gets.
  const encrypted = sdp.includes(`urn:ietf:params:rtp-hdrext:encrypt ${URI.corruption}`);
  const measuring = encrypted ? received : sent;
  assert(measuring.corruptionMeasurements >= 2 && score(measuring) < 0.2, `corruption ${score(measuring)}`);

  const heard = await heardInBrowser(browser);
  context.say('the browser tells', JSON.stringify(heard));
  for (const { kind, audioLevel, captureTimestamp } of heard) {
    if (kind === 'audio') assert(audioLevel > 0.05, `level ${audioLevel}`);
    if (captureTimestamp === undefined) continue;
    const age = Date.now() - (captureTimestamp - NTP_TO_UNIX_MS);
    assert(age > -50 && age < 6000, `${kind} was captured ${age} ms ago`);
  }
  assert(heard.some(h => h.captureTimestamp !== undefined), 'the browser was told no time of capture');

  // What we send makes the browser wait.
  assert(sent.googTimingFrameInfo, 'the browser was told no timing');
  await native.cmd('setPlayoutDelay', { min: PLAYOUT_DELAY_MS, max: 2000 });
  await eventually('the browser holds pictures back', 15000, async () => {
    const from = await inbound(browser);
    await sleep(1500);
    const to = await inbound(browser);
    const held = (1000 * (to.jitterBufferDelay - from.jitterBufferDelay)) / (to.jitterBufferEmittedCount - from.jitterBufferEmittedCount);
    return held > PLAYOUT_DELAY_MS * 0.8 ? null : `for ${held} ms`;
  });
  const fps = await Promise.all([a, b].map(peer => decodes(peer, 640, 18)));
  context.say(`decoded at ${fps.map(x => x.toFixed(1)).join(' and ')} fps`);
}

/// Layers that a dependency descriptor describes, which the receiver must understand to decode them.
const described = (codec, mode, layers, size = {}) => async (a, b, context) => {
  const [width, height] = [size.width ?? 640, size.height ?? 360];
  const video = { width, height, direction: 'sendonly', codecs: [codec, 'rtx'], sendEncodings: [{ scalabilityMode: mode }] };
  const sdp = await call(a, b, video, false);
  await a.cmd('setSender', { kind: 'video', scalabilityMode: mode, maxBitrate: 1_200_000 });
  assert(sdp.includes(URI.dependencies), 'no dependency descriptor');
  await eventually(`${a.name} sends ${mode}`, 20000, async () => {
    const [sent] = (await a.cmd('stats', { types: ['outbound-rtp'] })).filter(s => s.kind === 'video');
    return sent?.scalabilityMode === mode && sent.frameWidth === width ? null : `${sent?.scalabilityMode} ${sent?.frameWidth}`;
  });
  const fps = await decodes(b, width, size.fps ?? 18);
  context.say(`${b.name} decodes ${codec} ${mode} of ${a.name}: ${fps.toFixed(1)} fps`);
  if (b.name !== 'native') return;
  const [told] = await b.cmd('extensions');
  context.say('native was told', JSON.stringify(told));
  assert.deepEqual([...told.temporal].sort(), [...Array(layers).keys()]);
};

/// A receiver without feedback of arrivals, which says what it can take (REMB): the offerer goes by that.
async function remb(a, b, context) {
  const signaling = await start(a, b);
  await a.cmd('addTrack', { kind: 'video', source: 'noise', width: 640, height: 360, fps: 15, direction: 'sendonly', codecs: ['VP8', 'rtx'] });
  const { answer } = await signaling.negotiate(a);
  assert(/goog-remb/.test(answer.sdp) && !/transport-cc|ccfb/.test(answer.sdp), `${b.name} reports otherwise`);
  await connected(a, b);
  const told = [];
  await eventually(`${a.name} follows what ${b.name} allows`, 40000, async () => {
    const [sent] = (await a.cmd('stats', { types: ['outbound-rtp'] })).filter(s => s.kind === 'video');
    if (!sent?.parleyRemoteEstimateBps) return 'nothing was said';
    const { parleyRemoteEstimateBps: allowed, parleyEstimateBps: estimate, targetBitrate } = sent;
    assert(estimate <= allowed && targetBitrate <= allowed, `${estimate} and ${targetBitrate} of ${allowed} bit/s`);
    if (told.at(-1)?.allowed !== allowed) told.push({ allowed, estimate });
    // What it measured is no longer what it began with, and is what the sender goes by.
    const bound = told.filter(t => t.estimate > 0.9 * t.allowed);
    return told.length >= 4 && bound.length >= 2 ? null : JSON.stringify(told);
  });
  context.say(`${b.name} allows, ${a.name} estimates:`, told.map(t => `${Math.round(t.allowed / 1000)}/${Math.round(t.estimate / 1000)}`).join(' '));
}

export const extensionScenarios = {
  remb,
  extensions,
  described_vp8: described('VP8', 'L1T3', 3),
  described_vp9: described('VP9', 'L3T3_KEY', 3, { width: 960, height: 540 }),
  described_av1: described('AV1', 'L1T3', 3),
  described_av1_layers: described('AV1', 'L2T2', 2, { width: 480, height: 270, fps: 12 }),
};
