// Scenarios with several layers of one picture: simulcast (RFC 8853), and scalable VP9.
import assert from 'node:assert/strict';
import { configurationWith, connected, eventually, sleep } from './steps.mjs';

const RIDS = ['q', 'h', 'f'];
// Chromium sends three layers of pictures that are at least this large.
const WIDTHS = [240, 480, 960];
const SOURCE = { kind: 'video', source: 'pattern', width: 960, height: 540, fps: 30, direction: 'sendonly' };
const MID = 'urn:ietf:params:rtp-hdrext:sdes:mid';
const RID = 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id';
const REPAIRED_RID = 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id';

const create = (peer, more) => peer.cmd('create', { config: configurationWith(more) });
const rtp = async (peer, type) => (await peer.cmd('stats', { types: [type] })).filter(s => s.kind === 'video');

/// An offer or answer with all its candidates: what is rewritten here could not be matched by candidates that follow.
async function describe(peer, command) {
  await peer.cmd(command, { set: true });
  return peer.cmd('localDescription', { gathered: true });
}

function parts({ sdp }) {
  const [session, ...media] = sdp.split(/\r\n(?=m=)/).map(part => part.split('\r\n').filter(Boolean));
  return { session: session.filter(line => !line.startsWith('a=group:')), media };
}

const joined = (type, session, media, mids) => ({
  type,
  sdp: [...session, `a=group:BUNDLE ${mids.join(' ')}`, ...media.flat(), ''].join('\r\n'),
});

function withoutRtx(lines) {
  const rtx = lines.map(line => line.match(/^a=rtpmap:(\d+) rtx/)?.[1]).filter(Boolean);
  return lines
    .filter(line => !rtx.some(pt => new RegExp(`^a=(rtpmap|fmtp|rtcp-fb):${pt} `).test(line)))
    .map(line => (line.startsWith('m=') ? line.split(' ').filter((word, i) => i < 3 || !rtx.includes(word)).join(' ') : line));
}

/// Browsers do not receive simulcast. One that is offered three sections takes rids for their mids, if told that the
/// extension with the rid is that with the mid: both are short texts.
function layersAsSections(offer) {
  const { session, media } = parts(offer);
  assert.equal(media.length, 1);
  const left = /^a=(rid|simulcast|mid|msid|ssrc|ssrc-group)[:-]/;
  const base = withoutRtx(media[0].filter(line => !left.test(line) && !line.endsWith(` ${MID}`) && !line.endsWith(` ${REPAIRED_RID}`)));
  const sections = RIDS.map(rid => [...base.map(line => line.replace(RID, MID)), `a=mid:${rid}`, `a=msid:${rid} ${rid}`]);
  return joined('offer', session, sections, RIDS);
}

function sectionsAsLayers(answer, offer) {
  const { session, media } = parts(answer);
  assert.equal(media.length, RIDS.length);
  const mid = parts(offer).media[0].find(line => line.startsWith('a=mid:')).slice('a=mid:'.length);
  const section = media[0].filter(line => !/^a=(mid|msid):/.test(line)).map(line => line.replace(MID, RID));
  const layers = [...RIDS.map(rid => `a=rid:${rid} recv`), `a=simulcast:recv ${RIDS.join(';')}`];
  return joined('answer', session, [[...section, `a=mid:${mid}`, ...layers]], [mid]);
}

async function sendsLayers(peer, context) {
  await eventually(`${peer.name} sends three layers`, 40000, async () => {
    const sent = await rtp(peer, 'outbound-rtp');
    const widths = RIDS.map(rid => sent.find(s => s.rid === rid)?.frameWidth);
    if (WIDTHS.every((width, i) => widths[i] === width)) return null;
    const [pair] = (await peer.cmd('stats', { types: ['candidate-pair'] })).filter(p => p.availableOutgoingBitrate);
    return JSON.stringify({ widths, estimate: pair?.availableOutgoingBitrate, limits: sent.map(s => s.qualityLimitationReason), targets: sent.map(s => s.targetBitrate) });
  });
  const sent = await rtp(peer, 'outbound-rtp');
  assert.equal(sent.length, RIDS.length);
  context.say(peer.name, 'sends', sent.map(s => `${s.rid} ${s.frameWidth}x${s.frameHeight}`).sort().join(', '));
}

/// What arrives of each layer, lowest first.
async function received(peer, sections) {
  const streams = await rtp(peer, 'inbound-rtp');
  return RIDS.map(rid => streams.find(s => (sections ? s.mid : s.parleyRid) === rid) ?? {});
}

async function layersArrive(peer, sections, expected, context) {
  const shows = (stream, width) => stream.frameWidth === width;
  await eventually(`${peer.name} receives three layers`, 40000, async () => {
    const streams = await received(peer, sections);
    return expected.every((width, i) => shows(streams[i], width)) ? null : JSON.stringify(streams.map(s => [s.mid, s.frameWidth]));
  });
  const before = await received(peer, sections);
  await sleep(3000);
  const after = await received(peer, sections);
  const rates = after.map((s, i) => (s.framesReceived - before[i].framesReceived) / 3);
  context.say(peer.name, 'receives', RIDS.map((rid, i) => `${rid} ${after[i].frameWidth}x${after[i].frameHeight} ${rates[i].toFixed(1)} fps`).join(', '));
  for (const [i, rate] of rates.entries()) {
    assert(rate > 20, `layer ${RIDS[i]} comes with ${rate} fps`);
    context.measure({ [`layer_${RIDS[i]}_fps`]: rate });
  }
}

/// The offerer sends three layers; a native answerer takes them as what they are, a browser as three sections.
async function simulcast(a, b, context) {
  const sections = b.name !== 'native';
  await create(a, {});
  await create(b, { receiveSimulcast: true });
  const sendEncodings = RIDS.map((rid, i) => ({ rid, scaleResolutionDownBy: 4 / 2 ** i, maxBitrate: [150, 400, 1200][i] * 1000 }));
  await a.cmd('addTrack', { ...SOURCE, sendEncodings, codecs: ['VP8', 'rtx'] });
  const offer = await describe(a, 'createOffer');
  assert.match(offer.sdp, /a=simulcast:send q;h;f/);
  await b.cmd('setRemote', { desc: sections ? layersAsSections(offer) : offer });
  const answer = await describe(b, 'createAnswer');
  if (!sections) assert.match(answer.sdp, /a=simulcast:recv q;h;f/);
  await a.cmd('setRemote', { desc: sections ? sectionsAsLayers(answer, offer) : answer });
  await connected(a, b);
  await sendsLayers(a, context);
  await layersArrive(b, sections, WIDTHS, context);

  await a.cmd('setSender', { kind: 'video', encoding: 2, active: false });
  await sleep(1500);
  const before = await received(b, sections);
  await sleep(2000);
  const after = await received(b, sections);
  const more = after.map((s, i) => s.framesReceived - before[i].framesReceived);
  assert(more[2] <= 1 && more[1] > 30 && more[0] > 30, `frames after the largest layer is switched off: ${more}`);
  context.say(`${a.name} switched the largest layer off: ${more} frames in 2 s`);
  await a.cmd('setSender', { kind: 'video', encoding: 2, active: true });
  await layersArrive(b, sections, WIDTHS, context);
}

/// VP9 in layers that build on each other; the receiver shows the largest.
const scalable = mode => async (a, b, context) => {
  await create(a, {});
  await create(b, {});
  await a.cmd('addTrack', { ...SOURCE, sendEncodings: [{ scalabilityMode: mode }], codecs: ['VP9', 'rtx'] });
  await a.cmd('setSender', { kind: 'video', scalabilityMode: mode, maxBitrate: 1_200_000 });
  const offer = await describe(a, 'createOffer');
  await b.cmd('setRemote', { desc: offer });
  await a.cmd('setRemote', { desc: await describe(b, 'createAnswer') });
  await connected(a, b);
  let last = 0;
  await eventually(`${b.name} sees ${SOURCE.width} pixels at 20 fps and more`, 40000, async () => {
    const { width, frames } = (await b.cmd('media')).find(m => m.kind === 'video') ?? {};
    await sleep(1000);
    const now = (await b.cmd('media')).find(m => m.kind === 'video') ?? {};
    last = now.frames - frames;
    return width === SOURCE.width && last >= 20 ? null : `${width} ${last}`;
  });
  const [sent] = await rtp(a, 'outbound-rtp');
  assert.equal(sent.scalabilityMode, mode);
  context.say(`${b.name} sees ${mode} of ${a.name}: ${last} fps`);
  context.measure({ received_video_fps: last });
};

/// One call that goes through the modes, as an application does that changes its mind.
async function modes(a, b, context) {
  await create(a, {});
  await create(b, {});
  await a.cmd('addTrack', { ...SOURCE, sendEncodings: [{ scalabilityMode: 'L1T1' }], codecs: ['VP9', 'rtx'] });
  const offer = await describe(a, 'createOffer');
  await b.cmd('setRemote', { desc: offer });
  await a.cmd('setRemote', { desc: await describe(b, 'createAnswer') });
  await connected(a, b);
  const shown = async () => (await b.cmd('media')).find(m => m.kind === 'video') ?? {};
  for (const mode of ['L1T1', 'L1T2', 'L1T3', 'L2T1', 'L2T2', 'L2T3', 'L3T1', 'L3T2', 'L3T3', 'L2T2_KEY', 'L2T3_KEY', 'L3T3_KEY', 'L1T3']) {
    await a.cmd('setSender', { kind: 'video', scalabilityMode: mode, maxBitrate: 1_500_000 });
    let state;
    await eventually(`${b.name} sees ${mode} of ${a.name} in full size at 20 fps and more`, 20000, async () => {
      const before = (await shown()).frames ?? 0;
      await sleep(1000);
      const { width, frames } = await shown();
      const [sent] = await rtp(a, 'outbound-rtp');
      state = { width, fps: frames - before, mode: sent?.scalabilityMode };
      return width === SOURCE.width && state.fps >= 20 && state.mode === mode ? null : JSON.stringify(state);
    });
    context.say(mode, JSON.stringify(state));
  }
  const [{ pliCount = 0, freezeCount = 0 }] = await rtp(b, 'inbound-rtp');
  context.say(`${b.name} asked for ${pliCount} key frames, froze ${freezeCount} times`);
  context.measure({ svc_key_frame_requests: pliCount, svc_freezes: freezeCount });
}

export const layerScenarios = { simulcast, svc: scalable('L3T3'), svc_key: scalable('L3T3_KEY'), svc_modes: modes };
